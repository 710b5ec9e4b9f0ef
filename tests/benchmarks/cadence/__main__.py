"""The learned cadence in virtual time, against the guidance, a fixed net and who knows the truth.

    python -m tests.benchmarks.cadence [--seeds 20] [--jobs 2200] [--only matrix,worth,stop,slower,table]

Each cell is `--seeds` worlds of `--jobs` jobs, one a second; every policy gets the same jobs (common random
numbers). What is run are the real lessons, folding, estimates and choice of the next look; neither the store
nor the network (`tests.benchmarks.learned_cadence` runs those).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.cadence import figures

PARTS: dict[str, Callable[[argparse.Namespace], list[Callable[[], dict[str, Any]]]]] = {
    "matrix": lambda given: [
        partial(figures.cell, shape, hooks, loss, seeds=given.seeds, jobs=given.jobs)
        for shape in figures.SHAPES
        for hooks, loss in figures.HOOKS
    ],
    "worth": lambda given: [
        partial(figures.worth, c, seeds=given.seeds, jobs=given.jobs) for c in (1.0, 3.0, 20.0, 60.0)
    ],
    "stop": lambda given: [partial(figures.stop, shape, seeds=given.seeds) for shape in figures.SHAPES],
    "slower": lambda given: [
        partial(figures.slower, shape, hooks, loss, factor, seeds=given.seeds)
        for factor in (3.0, 0.5)
        for shape in figures.SHAPES
        for hooks, loss in (("none", 0.0), ("instant", 0.02), ("late", 0.0))
    ],
    "table": lambda given: [figures.table],
}


def main() -> None:
    """Run what is asked for and print it as tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2_200)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    with ProcessPoolExecutor(given.processes) as pool:
        for part in given.only.split(","):
            waiting = [pool.submit(work) for work in PARTS[part](given)]
            found[part] = [one.result() for one in waiting]
            print(f"\n## {part}\n")
            print(_table(found[part]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


def _table(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(_shown(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 1
        else f"{value:.1f}"
        if isinstance(value, float)
        else str(value)
    )


if __name__ == "__main__":
    main()
