"""One thing handed off ten times under the same key: how many effects each kind of destination has then.

Each attempt is a process of its own. `known`: it looks whether an earlier one succeeded, as the engine does.
`blind`: it cannot know that there were any and delivers once more, which is the worst that can happen.
Effects are counted by a reader that shares nothing with our sinks; the receiver of calls is the one of
docs/how-to/receive-signed-calls.md, which dedupes by `webhook-id`. All must be 1.

python -m tests.benchmarks.same_key --times 10
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.acceptance.processes import ROOT
from tests.benchmarks.places import Place, places

MIB = 8  # of each file: more than a part


def effects(place: Place, name: str, times: int, *, blind: bool) -> int:
    """How many there are after so many attempts, whatever they are."""
    for number in range(1, times + 1):
        told = place.told([name], number, MIB, blind=blind)
        subprocess.run(told.command(), cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return sum(many for (found, _), many in place.effects(name).items() if found == name)


def main() -> int:
    """Do it and print; 1 unless there is one effect everywhere."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    print(f"{f'effects of {options.times} attempts':<36}{'known':>8}{'blind':>8}{'nothing else':>14}")
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for place in places(Path(folder)):
            known, blind = (
                effects(place, name, options.times, blind=name == "blind") for name in ("known", "blind")
            )
            alone = place.effects("").total() == known + blind and not place.unfinished()
            print(f"{place.title:<36}{known:>8}{blind:>8}{'yes' if alone else 'no':>14}", flush=True)
            good = good and (known, blind, alone) == (1, 1, True)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
