"""More jobs than may be open at once: the gateway never has more of them, and all are done in the end."""

from typing import Any

from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once

MOST = 3
DURATION = 0.4  # seconds that the gateway works on a job


def test_ten_jobs_with_three_places(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, max_open_jobs=MOST, create_threads=8)
    orchestrator.start()
    jobs = orchestrator.database.submit(*(wanted(duration=DURATION) for _ in range(10)))
    orchestrator.database.wait(jobs, seconds=60)

    assert_delivered_once(orchestrator, sandbox, jobs)
    assert most_at_once(sandbox.truth()) <= MOST
    assert "3 jobs are open and 3 may be" in {line["reason"] for line in orchestrator.events("create_held")}
    assert orchestrator.told("tenant_released")


def most_at_once(truth: list[dict[str, Any]]) -> int:
    """How many of the gateway's jobs were under way at the same moment."""
    began = [(row["created_at"], 1) for row in truth]
    ended = [(row["finalized_at"], -1) for row in truth]
    now = most = 0
    for _, change in sorted(began + ended):
        now += change
        most = max(most, now)
    return most
