"""Kills uploads to a bucket at random moments, again and again, and counts what broke: it must be nothing.

python -m tests.benchmarks.bucket_kills --kills 20 --mib 24 --seed 1
"""

import argparse
import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.sinks.bucket_attempt_process import MIB, command, content_of
from tests.servers.azurite import AzuriteServer
from tests.servers.object_stores import Place
from tests.servers.s3 import S3Server

ROOT = Path(__file__).parents[2]
PREFIX = "out/put"


@dataclass
class Report:
    """What was done to one kind of store, and what was found."""

    store: str
    kills: int = 0
    attempts: int = 0
    objects: int = 0
    left_by_kills: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.torn or self.doubled)

    def row(self) -> str:
        """One line of the table."""
        found = (len(self.lost), len(self.torn), len(self.doubled), f"{self.seconds:.0f}")
        told = (self.store, self.kills, self.attempts, self.objects, self.left_by_kills, *found)
        return "| " + " | ".join(map(str, told)) + " |"


def run(store: str, place: Place, *, kills: int, mib: int, chance: random.Random) -> Report:
    """Deliver things one after the other, some attempts at each of them killed, until all kills are made."""
    began, report = time.monotonic(), Report(store)
    longest = _seconds_of_one(place, mib)
    while report.kills < kills:
        _deliver(place, f"video-{report.objects}.mp4", mib, longest, kills, chance, report)
        report.objects += 1
    _judge(place, mib, report)
    report.seconds = time.monotonic() - began
    return report


def _seconds_of_one(place: Place, mib: int) -> float:
    began = time.monotonic()
    _attempt(place, "warm", 1, mib).communicate()
    place.delete(f"{PREFIX}/warm")
    return time.monotonic() - began


def _deliver(
    place: Place, name: str, mib: int, longest: float, kills: int, chance: random.Random, report: Report
) -> None:
    """Attempts at one thing until one of them tells its hash; what readers see meanwhile is whole."""
    for number in range(1, 1_000):
        process = _attempt(place, name, number, mib)
        report.attempts += 1
        try:
            # Sometimes later than it takes: then it is whole, and the next kill is another one's.
            process.wait(chance.uniform(0.2, 1.1) * longest if report.kills < kills else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            report.kills += 1
            report.left_by_kills += len(place.uploads()) + len(place.list()) > report.objects
        seen = place.get(f"{PREFIX}/{name}")
        if seen not in (None, b"".join(content_of(name, mib, MIB))):
            report.torn.append(f"{name}: {len(seen or b'')} bytes after attempt {number}")
        if process.returncode == 0:
            return


def _attempt(place: Place, name: str, number: int, mib: int) -> subprocess.Popen[bytes]:
    told = command("deliver", place.options(PREFIX), name, number, mib)
    return subprocess.Popen(told, cwd=ROOT, stdout=subprocess.DEVNULL)


def _judge(place: Place, mib: int, report: Report) -> None:
    """Compare what is there with what was to be there."""
    expected = {f"{PREFIX}/video-{number}.mp4" for number in range(report.objects)}
    report.lost += sorted(expected - set(place.list()))
    report.doubled += sorted(set(place.list()) - expected)
    for key in sorted(expected & set(place.list())):
        content = b"".join(content_of(key.removeprefix(f"{PREFIX}/"), mib, MIB))
        if hashlib.sha256(place.get(key) or b"").digest() != hashlib.sha256(content).digest():
            report.torn.append(key)


def _reports(options: argparse.Namespace) -> Iterator[Report]:
    chance = random.Random(options.seed)
    told = {"kills": options.kills, "mib": options.mib, "chance": chance}
    s3 = S3Server()
    try:
        yield run("S3 (moto), copies conditional", s3.new_bucket(), **told)
        s3.reset()
        yield run("S3 (moto), as it is", s3.new_bucket("plain-"), **told)
    finally:
        s3.close()
    azurite = AzuriteServer()
    try:
        yield run("Azure (Azurite)", azurite.new_container(), **told)
    finally:
        azurite.close()


def main() -> int:
    """Run it and print the table; 1 if anything was lost, torn or doubled."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--mib", type=int, default=24, help="size of each thing")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| Store | Kills | Attempts | Objects | Kills that left parts | Lost | Torn | Doubled | Seconds |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    good = True
    for report in _reports(options):
        print(report.row(), flush=True)
        for one in (*report.lost, *report.torn, *report.doubled):
            print(f"    {one}", flush=True)
        good = good and report.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
