"""How long it takes from a webhook's arrival to the file in its folder, in one process or on a fleet.

python -m tests.benchmarks.hook_to_file --jobs 300 --per-second 10 [--fleet]
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.core.job import Source
from tests.acceptance.database import wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import Installation
from tests.acceptance.waiting import until
from tests.benchmarks.deployment import deployed

CREATES_PER_SECOND = 40.0  # slow enough that all creates are over before the first job ends


def measure(folder: Path, jobs: int, per_second: float, *, fleet: bool = False) -> dict[str, list[float]]:
    """Milliseconds of each step, one number a job; the jobs end at an even pace."""
    with _fleet(folder) if fleet else _one_process(folder) as (installation, sandbox):
        database = installation.database
        first = 3.0 + jobs / CREATES_PER_SECOND
        ids = database.submit(*(wanted(duration=first + number / per_second) for number in range(jobs)))
        database.wait(ids, first + jobs / per_second + 60)
        until(
            "every webhook is answered", lambda: {row["state"] for row in sandbox.webhooks()} == {"delivered"}
        )
        return _steps(installation, sandbox, ids)


@contextmanager
def _one_process(folder: Path) -> Iterator[tuple[Installation, Sandbox]]:
    sandbox = Sandbox(folder, "sandbox", "--poll-after-seconds", "600")
    orchestrator = Orchestrator(folder, sandbox.url, poll_after_seconds=600)
    sandbox.call(orchestrator.receiver)
    try:
        orchestrator.start()
        yield orchestrator, sandbox
    finally:
        orchestrator.end()
        sandbox.end()


@contextmanager
def _fleet(folder: Path) -> Iterator[tuple[Installation, Sandbox]]:
    """One web, one beat, two workers; PostgreSQL waits for the disk as in life."""
    asked_seldom = ("--poll-after-seconds", "600")
    with deployed(folder, *asked_seldom, durable=True, poll_after_seconds=600) as deployment:
        deployment.fleet.start_all(workers=2)
        yield deployment.fleet, deployment.sandbox


def _steps(installation: Installation, sandbox: Sandbox, ids: Sequence[str]) -> dict[str, list[float]]:
    attempts = {
        row["session_id"].rpartition(".")[0]: next(one for one in row["attempts"] if one["delivered_at"])
        for row in sandbox.webhooks(type="video.completed")
    }
    received = {
        entry.job_id: entry.received_at
        for entry in installation.database.inbox()
        if entry.type == "video.completed"
    }
    owed = installation.database.everything_owed()
    by_hook = [one for one in ids if installation.database.job(one).won_by is Source.WEBHOOK]
    steps: dict[str, list[float]] = {
        "webhook received → file shown": [],
        "webhook received → hand-off done": [],
        "webhook sent → file shown": [],
        "webhook sent → answered": [],
    }
    for job in by_hook:
        sent, answered = (_moment(attempts[job], name) for name in ("tried_at", "delivered_at"))
        file = Path(str(owed[job][0].location))
        shown, done = file.stat().st_ctime, owed[job][0].done_at  # the last change is that of its name
        assert done is not None
        durations = (shown - received[job], done - received[job], shown - sent, answered - sent)
        for step, seconds in zip(steps.values(), durations, strict=True):
            step.append(seconds * 1000)
    return steps


def _moment(attempt: dict[str, Any], name: str) -> float:
    return datetime.fromisoformat(attempt[name]).timestamp()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    return sorted(values)[max(0, round(share * len(values)) - 1)]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--per-second", type=float, default=10.0, help="how many jobs end in a second")
    parser.add_argument("--fleet", action="store_true", help="web, beat and two workers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        steps = measure(Path(folder), options.jobs, options.per_second, fleet=options.fleet)
    print(f"{'ms':<36}{'jobs':>6}{'p50':>8}{'p90':>8}{'p99':>8}{'most':>8}")
    for step, values in steps.items():
        numbers = "".join(f"{percentile(values, share):>8.1f}" for share in (0.5, 0.9, 0.99, 1.0))
        print(f"{step:<36}{len(values):>6}{numbers}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
