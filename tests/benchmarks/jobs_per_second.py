"""How many jobs a second a fleet takes from submission to file, and what the processors were busy with.

python -m tests.benchmarks.jobs_per_second --jobs 500 --workers 2
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.core.job import Updates
from tests.acceptance.database import wanted
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
        before, (idle, total) = by_program(deployment), all_idle_and_total()
        began = time.time()
        jobs = fleet.database.submit(
            *(wanted(updates=options.updates, duration=0.5) for _ in range(options.jobs))
        )
        until("all are handed off", lambda: not fleet.database.unfinished(jobs), 600, every=0.5)
        after, (idle_then, total_then) = by_program(deployment), all_idle_and_total()
        seconds = last_hand_off(fleet) - began
        print(f"{len(jobs)} jobs in {seconds:.1f} s: {len(jobs) / seconds:.1f} a second")
        for name, was in before.items():
            milliseconds = 1000 * (after[name] - was) / len(jobs)
            print(f"{name:<10}{milliseconds:>8.1f} ms of processor a job")
        print(f"the machine idled {100 * (idle_then - idle) / (total_then - total):.0f} % of the time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
