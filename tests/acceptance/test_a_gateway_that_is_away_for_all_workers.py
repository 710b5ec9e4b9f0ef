"""The whole gateway answers nothing but errors: two workers leave it alone, and find out when it is back."""

from datetime import datetime
from typing import Any

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE
from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Deploy
from tests.acceptance.load import finish, lasting, now
from tests.acceptance.processes import Child
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

MANY = 40
WORKERS = 2
# A pause counts from the claim of the look that failed, which came before that look's answer.
SURELY_SHUT = FIRST_PAUSE - 3.0


def test_few_questions_are_asked_meanwhile_and_work_goes_on_afterwards(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet = deploy(sandbox)
    fleet.start_all(workers=WORKERS)
    database = fleet.database
    known = database.submit(*lasting(MANY, Updates.POLL))
    until("the gateway has them", lambda: {job.state for job in database.jobs()} == {State.WAITING})
    sandbox.faults(down="all")
    down = now()
    until("every breaker is open", lambda: all(_opened(run) for run in fleet.of("worker")))
    until("what was under way is over", lambda: not any(job.leased_by for job in database.jobs()))
    quiet, opened = now(), min(_opened(run) for run in fleet.of("worker"))
    sandbox.faults(down="gets")  # a create that is risked all the same is made, and seen
    new = database.submit(*lasting(MANY))
    until("it was away for most of a pause", lambda: now() > opened + FIRST_PAUSE / 2)
    sandbox.heal()
    healed = now()

    asked = _asked(sandbox, down, quiet)
    # All that were on their way when the breakers opened: without them it would be hundreds.
    assert len(asked) <= WORKERS * (MANY + 2 * FAILURES_TO_OPEN)
    assert _asked(sandbox, quiet, min(healed, down + SURELY_SHUT)) == [], "a breaker is open and asks"
    floor = opened + FIRST_PAUSE - healed
    finish(fleet, sandbox, [*known, *new])
    recovered("the gateway away for all", fleet, sandbox, [*known, *new], since=healed, floor=floor)
    until("it was an alarm", lambda: fleet.events("alarm_raised", alarm="gateway_away"))
    until("that is over", lambda: fleet.events("alarm_cleared", alarm="gateway_away"))


def _asked(sandbox: Sandbox, since: float, until: float) -> list[dict[str, Any]]:
    """The questions that came to the gateway between the two."""
    return [one for one in sandbox.requests() if since < one["at"] < until]


def _opened(worker: Child) -> float:
    """When its breaker opened (epoch seconds); 0 while it is shut."""
    failed = [line["at"] for line in worker.events() if line["event"] == "look_failed"]
    enough = len(failed) >= FAILURES_TO_OPEN
    return datetime.fromisoformat(failed[FAILURES_TO_OPEN - 1]).timestamp() if enough else 0.0
