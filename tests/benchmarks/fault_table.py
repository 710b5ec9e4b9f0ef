"""Runs the stories of the fault suite and prints what each one lost, doubled and took, as Markdown.

python -m tests.benchmarks.fault_table --runs 3 --side-by-side 1
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]
STORIES = ROOT / "tests" / "acceptance"
MEASURES = "recovered("  # what a story calls to keep its figures

Line = dict[str, Any]


def stories() -> list[Path]:
    """The files whose stories keep figures."""
    files = sorted(STORIES.glob("test_*.py"))
    return [file for file in files if MEASURES in file.read_text()]


def run(files: list[Path], figures: Path, *, side_by_side: int, more: list[str]) -> bool:
    """Run the stories once, their figures added to the file; whether all of them held."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(side_by_side), *more]
    done = subprocess.run(
        [*command, "-p", "tests.counts_by_layer", *map(str, files)],
        cwd=ROOT,
        env=os.environ | {"MEASURED_TO": str(figures)},
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=False,
    )
    return done.returncode == 0


def table(lines: list[Line]) -> Iterator[str]:
    """One row for each story; of several runs the median and the worst."""
    runs: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        runs[line["story"]].append(line)
    yield "| Story | Runs | Jobs | Lost | Doubled | Recovery, s (worst) | Floor, s |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for story, told in sorted(runs.items()):
        took = [one["recovery_seconds"] for one in told if one["recovery_seconds"] is not None]
        worst = f" ({max(took):.1f})" if len(took) > 1 else ""
        cells = (
            story,
            len(told),
            max(one["jobs"] for one in told),
            sum(one["lost"] for one in told),
            sum(one["doubled"] for one in told),
            f"{median(took):.1f}{worst}" if took else "never",
            f"{median(one['floor_seconds'] for one in told):.1f}",
        )
        yield "| " + " | ".join(map(str, cells)) + " |"


def main() -> int:
    """Run them and print the table; 1 if a story did not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument(
        "--side-by-side", type=int, default=1, help="stories at once; figures are best with 1"
    )
    parser.add_argument("--figures", type=Path, help="print the table of this file, without running anything")
    options, more = parser.parse_known_args()
    good = True
    with tempfile.TemporaryDirectory() as folder:
        figures: Path = options.figures or Path(folder, "figures.jsonl")
        if options.figures is None:
            held = [
                run(stories(), figures, side_by_side=options.side_by_side, more=more)
                for _ in range(options.runs)
            ]
            good = all(held)
        lines = [json.loads(line) for line in figures.read_text().splitlines()]
    print("\n".join(table(lines)))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
