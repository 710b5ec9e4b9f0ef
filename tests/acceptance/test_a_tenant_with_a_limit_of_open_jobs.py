"""More jobs than may be open at once: the gateway never has more of them, and all are done in the end."""

from typing import Any

from tests.acceptance.conftest import Begin
from tests.acceptance.load import finish, lasting
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until

MOST = 3


def test_ten_jobs_with_three_places(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, max_open_jobs=MOST, create_threads=8)
    orchestrator.start()
    jobs = orchestrator.database.submit(*lasting(10))
    assert orchestrator.told("create_held", reason=f"{MOST} jobs are open and {MOST} may be")
    until("all are done", lambda: _end_those_that_are_open(orchestrator, sandbox, jobs))

    assert_delivered_once(orchestrator, sandbox, jobs)
    assert most_at_once(sandbox.truth()) == MOST
    assert orchestrator.told("tenant_released")


def _end_those_that_are_open(orchestrator: Orchestrator, sandbox: Sandbox, jobs: list[str]) -> bool:
    """Whether none is left; as many as may be are under way, until they are ended here."""
    left = orchestrator.database.unfinished(jobs)
    finish(orchestrator, sandbox, [job for job in left if orchestrator.database.job(job).gateway_id])
    return not left


def most_at_once(truth: list[dict[str, Any]]) -> int:
    """How many of the gateway's jobs were under way at the same moment."""
    began = [(row["created_at"], 1) for row in truth]
    ended = [(row["finalized_at"], -1) for row in truth]
    now = most = 0
    for _, change in sorted(began + ended):
        now += change
        most = max(most, now)
    return most
