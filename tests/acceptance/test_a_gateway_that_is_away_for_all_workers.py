"""The whole gateway answers nothing but errors: two workers leave it alone, and find out when it is back."""

import time
from datetime import datetime

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE
from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.processes import Child
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

MANY = 40
WORKERS = 2


def test_few_questions_are_asked_meanwhile_and_work_goes_on_afterwards(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet = deploy(sandbox)
    fleet.start_all(workers=WORKERS)
    database = fleet.database
    known = database.submit(*(wanted(updates=Updates.POLL, duration=2.0) for _ in range(MANY)))
    until("the gateway has them", lambda: {job.state for job in database.jobs()} == {State.WAITING}, 60)
    before = len(sandbox.requests())
    sandbox.faults(down="all")
    until("every breaker is open", lambda: all(_opened(run) for run in fleet.of("worker")), 60)
    opened = min(_opened(run) for run in fleet.of("worker"))
    new = database.submit(*(wanted(duration=0.2) for _ in range(MANY)))
    until("it was away for most of a pause", lambda: time.time() > opened + FIRST_PAUSE / 2)
    asked = len(sandbox.requests()) - before
    assert {job.attempts for job in database.jobs() if job.id in new} == {0}, "no create was risked"
    sandbox.heal()
    healed = time.time()
    # All that were on their way when the breakers opened, and none after: without them it would be hundreds.
    assert asked <= MANY + WORKERS * 2 * FAILURES_TO_OPEN, asked
    floor = opened + FIRST_PAUSE - healed
    recovered("the gateway away for all", fleet, sandbox, [*known, *new], since=healed, floor=floor)


def _opened(worker: Child) -> float:
    """When its breaker opened (epoch seconds); 0 while it is shut."""
    failed = [line["at"] for line in worker.events() if line["event"] == "look_failed"]
    enough = len(failed) >= FAILURES_TO_OPEN
    return datetime.fromisoformat(failed[FAILURES_TO_OPEN - 1]).timestamp() if enough else 0.0
