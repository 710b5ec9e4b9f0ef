"""How many jobs a second a fleet takes from submission to file, and what the processors were busy with.

python -m tests.benchmarks.jobs_per_second --jobs 500 --workers 2
"""

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from orchestrator.core.job import Updates
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.recovery import last_hand_off
from tests.acceptance.waiting import until
from tests.benchmarks.deployment import Deployment, deployed
from tests.servers.processes import descendants

TICKS = os.sysconf("SC_CLK_TCK")


def used(*pids: int) -> float:
    """Seconds of processor time that these and their children that ended have used."""
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(sum(map(int, one[11:15])) / TICKS for one in fields)


def by_program(deployment: Deployment) -> dict[str, float]:
    """Processor seconds so far. Children of PostgreSQL that came and went count once they are buried."""
    fleet, postgres = deployment.fleet, deployment.postgres.process.pid
    roles = {role: used(*(run.pid for run in fleet.of(role))) for role in ("worker", "web", "beat")}
    return roles | {
        "postgres": used(postgres, *descendants(postgres)),
        "redis": used(deployment.redis.process.pid),
        "sandbox": used(deployment.sandbox.process.pid),
    }


def resident(fleet: Fleet) -> dict[str, float]:
    """Megabytes that the largest process of each role holds."""

    def megabytes(pid: int) -> float:
        (line,) = re.findall(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return int(line) / 1000

    return {role: max(megabytes(run.pid) for run in fleet.of(role)) for role in ("worker", "web", "beat")}


def database_bytes(fleet: Fleet) -> int:
    """What the database takes on the disk, with its indexes and what is not yet reused."""
    url = fleet.settings["ORCHESTRATOR_DATABASE_URL"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
        return int(size)


def all_idle_and_total() -> tuple[float, float]:
    """Seconds that the processors idled, and all seconds, over the whole machine."""
    numbers = [int(one) / TICKS for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return numbers[3] + numbers[4], sum(numbers)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--updates", type=Updates, default=Updates.HYBRID, choices=list(Updates))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder), durable=True) as deployment:
        fleet = deployment.fleet
        fleet.start_all(workers=options.workers)
        bytes_before = database_bytes(fleet)
        before, (idle, total) = by_program(deployment), all_idle_and_total()
        began = time.time()
        jobs = fleet.database.submit(
            *(wanted(updates=options.updates, duration=0.5) for _ in range(options.jobs))
        )
        until("all are handed off", lambda: not fleet.database.unfinished(jobs), 600, every=0.5)
        after, (idle_then, total_then) = by_program(deployment), all_idle_and_total()
        grown, held = database_bytes(fleet) - bytes_before, resident(fleet)
        seconds = last_hand_off(fleet) - began
        print(f"{len(jobs)} jobs in {seconds:.1f} s: {len(jobs) / seconds:.1f} a second")
        for name, was in before.items():
            milliseconds = 1000 * (after[name] - was) / len(jobs)
            print(f"{name:<10}{milliseconds:>8.1f} ms of processor a job")
        for role, megabytes in held.items():
            print(f"{role:<10}{megabytes:>8.0f} MB of memory, the largest of its processes")
        print(f"the database grew by {grown / len(jobs):.0f} bytes a job")
        print(f"the machine idled {100 * (idle_then - idle) / (total_then - total):.0f} % of the time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
