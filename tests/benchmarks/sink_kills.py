"""Kills in the middle of deliveries, again and again, and what broke at each kind of destination: none may.

A process delivers things, is killed with SIGKILL at a random moment, and another one goes on with what it did
not tell to be there: files one at a time, documents by the hundred. Where its data is to outlast that, the
server or receiver is killed too, and started again. What readers find is held against what was told.

- lost: it was told to be there, and is not;
- torn: something else is under its name, now or after any of the kills;
- doubled: it is there more than once, or something is there that nobody delivered.

`left parts` is after how many kills something lay around that no reader takes for his.

python -m tests.benchmarks.sink_kills --kills 20 --mib 24 --seed 1 [--only redis]
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.processes import ROOT
from tests.benchmarks.places import Effects, Place, places

DOCUMENTS = 100  # that one process delivers
TRIES = 1_000


@dataclass
class Report:
    """What was done to one place, and what was found."""

    title: str
    kills: int = 0
    attempts: int = 0
    left: int = 0
    told: dict[str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    torn: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)

    @property
    def good(self) -> bool:
        return not (self.lost or self.torn or self.doubled)

    def row(self) -> str:
        """One line of the table."""
        found = (len(self.lost), len(self.torn), len(self.doubled))
        numbers = (self.kills, self.attempts, len(self.told), self.left, *found)
        return f"{self.title:<46}" + "".join(f"{one:>11}" for one in numbers)


class Run:
    """Deliveries to one place, until all kills are made. `server`: it is the server that is killed."""

    def __init__(self, place: Place, *, server: bool, kills: int, mib: int, chance: random.Random) -> None:
        self._place, self._mib, self._kills, self._chance = place, mib, kills, chance
        self._strike = place.strike if server else None
        self._prefix = "server" if server else "process"
        self.report = Report(f"{place.title}; kills its {self._prefix}" if server else place.title)
        self._longest = 0.0
        self._seen: set[tuple[str, str]] = set()

    def all(self) -> Report:
        """Do it, and judge."""
        self._longest = self._one(0, killed=False)
        for number in range(1, TRIES):
            if self.report.kills >= self._kills:
                break
            self._one(number, killed=True)
        self._judge()
        return self.report

    def _one(self, number: int, *, killed: bool) -> float:
        """One file or a hundred documents, for as many attempts as it takes; the seconds of the last one."""
        count = 1 if self._place.takes_files else DOCUMENTS
        names = [f"{self._prefix}-{number}-{one}" for one in range(count)]
        for attempt in range(1, TRIES):
            left = [name for name in names if name not in self.report.told]
            if not left:
                break
            seconds = self._attempt(left, attempt, killed=killed and self.report.kills < self._kills)
            self._seen |= self._there(f"{self._prefix}-{number}-").keys()
        return seconds

    def _attempt(self, names: list[str], attempt: int, *, killed: bool) -> float:
        self.report.attempts += 1
        command = self._place.told(names, attempt, self._mib).command()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        with subprocess.Popen(command, cwd=ROOT, **pipes) as process:  # type: ignore[call-overload]
            assert process.stdout.readline() == "begun\n"
            began = time.monotonic()
            struck = killed and self._kill(process)
            told = dict(line.split() for line in process.stdout if line.endswith("\n"))
            seconds = time.monotonic() - began
        self.report.told |= told
        if struck and (self._strike or len(told) < len(names)):
            self.report.kills += 1
            self.report.left += self._place.unfinished() > 0
        else:  # it came too late
            self._longest = seconds
        return seconds

    def _kill(self, process: subprocess.Popen[str]) -> bool:
        """At some moment, unless all is over by then."""
        try:
            process.wait(self._chance.uniform(0.0, 1.1) * self._longest)
            return False
        except subprocess.TimeoutExpired:
            pass
        if self._strike is not None:
            self._strike()
            return True
        process.kill()
        process.wait()
        return True

    def _there(self, prefix: str) -> Effects:
        return self._place.effects(prefix)

    def _judge(self) -> None:
        """Compare what is there with what was told; all that was to be delivered was told in the end."""
        there, report = self._there(self._prefix), self.report
        names = Counter(name for name, _ in there.elements())
        report.lost |= report.told.keys() - names.keys()
        report.doubled |= {name for name, many in names.items() if many > 1 or name not in report.told}
        report.torn |= {one for one, sha256 in self._seen | there.keys() if report.told.get(one) != sha256}


def main() -> int:
    """Run it and print the table; 1 if anything was lost, torn or doubled."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=20, help="at each kind of destination")
    parser.add_argument("--mib", type=int, default=24, help="size of each file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="those with this in their name")
    options = parser.parse_args()
    heads = ("kills", "attempts", "things", "left parts", "lost", "torn", "doubled")
    print(f"{'':<46}" + "".join(f"{head:>11}" for head in heads))
    chance, good = random.Random(options.seed), True
    with tempfile.TemporaryDirectory() as folder:
        for place in places(Path(folder), options.only):
            for server in (False, True) if place.strike else (False,):
                run = Run(place, server=server, kills=options.kills, mib=options.mib, chance=chance)
                report = run.all()
                print(report.row(), flush=True)
                for one in sorted(report.lost | report.torn | report.doubled):
                    print(f"    {one}", flush=True)
                good = good and report.good
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
