"""A scaled deployment under chaos for minutes: nothing may be lost, doubled or torn.

python -m tests.soak --minutes 3 --seed 1
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak.run import run


def main() -> int:
    """Run it and print the summary; 1 if anything forbidden happened."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="the same blows again")
    parser.add_argument("--per-second", type=float, default=2.0, help="jobs submitted")
    parser.add_argument("--keep", type=Path, help="a new folder to keep outputs and logs in")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    folder: Path = options.keep or Path(tempfile.mkdtemp(prefix="orchestrator-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = run(folder, seconds=60 * options.minutes, seed=options.seed, per_second=options.per_second)
    print("\n".join(report.lines()))
    if not report.good:
        print(f"run it again: make soak ARGS='--seed {options.seed}'; what the processes said is in {folder}")
    elif options.keep is None:
        shutil.rmtree(folder)
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
