"""How much a worker grows while it moves large outputs, eight at once: from the gateway, and to their place.

A worker of a scaled deployment (web, beat, PostgreSQL, Redis) has threads enough for all; the archive is a
folder. `growth` is the most that was resident since it was idle (VmHWM), less what was then: what it loads
for its first output is in it, the page cache is not. `anonymous` is the same of what is no file, as seen by
samples (RssAnon). `at once` is how many outputs were seen on their way at the same moment.

python -m tests.benchmarks.hand_off_memory --mib 500 --outputs 8 [--folder PLACE]
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.core.job import HandOffState
from orchestrator.engine.context import THREADS_FOR_OTHERS
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.waiting import until
from tests.benchmarks.deployment import deployed
from tests.benchmarks.destinations import write_destinations
from tests.servers.s3 import S3Bucket, S3Server

MIB = 1 << 20
GOAL = 150  # MiB
LONGEST = 3_600.0


@dataclass
class Memory:
    """What is resident of a process, in MiB, from now on."""

    pid: int
    idle: dict[str, float] = field(init=False)
    anonymous: float = 0.0

    def __post_init__(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # forgets the peak of its start
        self.idle = self._now()

    def sample(self) -> None:
        self.anonymous = max(self.anonymous, self._now()["RssAnon"])

    def growth(self) -> tuple[float, float]:
        """By how much it grew at most: all that is resident, and what is no file."""
        return self._now()["VmHWM"] - self.idle["VmRSS"], self.anonymous - self.idle["RssAnon"]

    def _now(self) -> dict[str, float]:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        told = (line.split() for line in lines if line.startswith(("VmHWM", "VmRSS", "RssAnon")))
        return {name.rstrip(":"): int(number) / 1024 for name, number, _ in told}


@contextmanager
def sampled(memory: Memory) -> Iterator[None]:
    """Sample it all the while."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            memory.sample()

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def measure(folder: Path, place: str, bucket: S3Bucket, mib: int, outputs: int) -> str:
    """One row of the table."""
    told = {"bucket": {"type": "bucket", **bucket.options("out")}}
    settings: dict[str, Any] = {
        "destinations_file": write_destinations(folder / "destinations.toml", told),
        "archive_dir": folder / "archive",
        "hand_off_threads": outputs + THREADS_FOR_OTHERS,
    }
    with deployed(folder, **settings) as deployment:
        fleet = deployment.fleet
        fleet.start_all(workers=1)
        (worker,) = fleet.of("worker")
        one = replace(wanted(duration=3, content_bytes=mib * MIB), destinations=(place,))
        memory, began = Memory(worker.pid), time.monotonic()
        with sampled(memory):
            most = _wait(fleet, fleet.database.submit(*[one] * outputs))
        resident, anonymous = memory.growth()
        idle, seconds = memory.idle["VmRSS"], time.monotonic() - began
        return f"{place:<12}{idle:>10.0f}{resident:>10.0f}{anonymous:>12.0f}{most:>10}{seconds:>10.0f}"


def _wait(fleet: Fleet, jobs: list[str]) -> int:
    """Until all are there; how many were on their way at the same moment, at most."""
    most = 0

    def all_there() -> bool:
        nonlocal most
        owed = [one for some in fleet.database.every_hand_off().values() for one in some]
        most = max(most, sum(one.leased_by is not None for one in owed))
        dead = [one.last_error for one in owed if one.state not in (HandOffState.OWED, HandOffState.DONE)]
        assert not dead, dead
        return len(owed) == 2 * len(jobs) and all(one.state is HandOffState.DONE for one in owed)

    until("every output is in its place", all_there, LONGEST, every=0.1)
    return most


def main() -> int:
    """Measure and print; 1 if a worker grew by more than the goal."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--mib", type=int, default=500, help="size of each output")
    parser.add_argument("--outputs", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="where four times all outputs have to fit")
    options = parser.parse_args()
    print(f"{options.outputs} outputs of {options.mib} MiB at once; goal: a growth below {GOAL} MiB")
    print(f"{'MiB':<12}{'idle':>10}{'growth':>10}{'anonymous':>12}{'at once':>10}{'seconds':>10}")
    _let_moto_use_files(options.folder)
    good = True
    for place in ("folder", "bucket"):
        s3 = S3Server()
        try:
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                _require_room(Path(folder), 4 * options.mib * options.outputs)
                row = measure(Path(folder), place, s3.new_bucket(), options.mib, options.outputs)
        finally:
            s3.close()
        print(row, flush=True)
        good = good and float(row.split()[2]) < GOAL
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if good else 1


def _let_moto_use_files(folder: Path | None) -> None:
    """Else it would hold all parts in memory; each file is one that it has open."""
    os.environ["MOTO_S3_DEFAULT_KEY_BUFFER_SIZE"] = str(64 * 1024)
    if folder is not None:
        os.environ["TMPDIR"] = str(folder)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _require_room(folder: Path, mib: int) -> None:
    free = shutil.disk_usage(folder).free // MIB
    if free < mib:
        sys.exit(f"{folder}: {free} MiB are free and {mib} needed: see --folder, --mib and --outputs")


if __name__ == "__main__":
    sys.exit(main())
