"""After how many seeds the simulation finds each planted bug: `python -m tests.benchmarks.planted_bugs`.

Several starting points for each; what is not found is said so, and which promises broke first.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from statistics import median

from orchestrator.simulation.run import simulate
from orchestrator.simulation.world import Outcome
from tests.simulation.planted import BUGS
from tests.simulation.planted.bug import Bug


def searched(bug: Bug, starts: int, most: int) -> Iterator[tuple[int, Outcome]]:
    """From each start, the seed that shows the bug and after how many it came; none beyond `most`."""
    for start in range(starts):
        first = 1 + 100_000 * start
        with bug.plant():
            outcomes = (simulate(seed) for seed in range(first, first + most))
            found = next((outcome for outcome in outcomes if outcome.violation), None)
        if found is not None:
            yield found.seed - first + 1, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--most", type=int, default=1000)
    parser.add_argument("--only", default="", help="Part of the name of the bugs to plant.")
    options = parser.parse_args()
    print("| planted bug | median | worst | not found | breaks |\n|---|---|---|---|---|")
    for bug in (bug for bug in BUGS if options.only in bug.name):
        found = list(searched(bug, options.starts, options.most))
        counts = [count for count, _ in found]
        broken = Counter(str(outcome.violation.invariant) for _, outcome in found if outcome.violation)
        named = ", ".join(f"`{name}` {count}" for name, count in broken.most_common())
        middle, worst = (f"{median(counts):g}", max(counts)) if counts else ("-", "-")
        print(f"| {bug.name} | {middle} | {worst} | {options.starts - len(found)} | {named} |", flush=True)


if __name__ == "__main__":
    main()
