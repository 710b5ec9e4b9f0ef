"""After how many seeds the simulation finds each planted bug: `python -m tests.benchmarks.planted_bugs`.

Several starting points for each; what is not found is said so.
"""

import argparse
from statistics import median

from orchestrator.simulation.run import simulate
from tests.simulation.planted import FURTHER, NAMED, Planted


def found_after(planted: Planted, first: int, most: int) -> int | None:
    """How many seeds from `first` on it took, None beyond `most`."""
    with planted():
        for count in range(1, most + 1):
            if simulate(first + count - 1).violation:
                return count
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--most", type=int, default=1000)
    options = parser.parse_args()
    print(f"{'planted bug':<32}{'median':>8}{'worst':>8}{'not found':>11}")
    for name, planted in (NAMED | FURTHER).items():
        counts = [found_after(planted, 1 + 100_000 * start, options.most) for start in range(options.starts)]
        found = [count for count in counts if count is not None]
        middle, worst = (f"{median(found):g}", max(found)) if found else ("-", "-")
        print(f"{name:<32}{middle:>8}{worst:>8}{len(counts) - len(found):>11}", flush=True)


if __name__ == "__main__":
    main()
