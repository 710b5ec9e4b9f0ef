"""One provider answers 502 to every look for an hour, while its webhooks and the list are right.

The hour is the gateway's, 18 seconds here; pauses of the breaker and guidance for looks are real seconds.
"""

import time

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE
from orchestrator.core.job import Source, Updates
from tests.acceptance.conftest import SPEED, Deploy
from tests.acceptance.database import wanted
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

OTHER = "x-ai/grok-video"
HOUR = 3600.0
GUIDANCE = 5.0  # so that the breaker's first pause, begun after the first looks, ends after the hour
MANY = 20  # of each kind
WORKERS = 2
POLL = Updates.POLL


def test_nothing_fails_nobody_is_hammered_and_others_flow(deploy: Deploy, fast_sandbox: Sandbox) -> None:
    sandbox = fast_sandbox
    fleet = deploy(sandbox, poll_after_seconds=GUIDANCE)
    fleet.start_all(workers=WORKERS)
    database = fleet.database
    sandbox.faults(provider_502="google-ai-studio")
    broke = time.time()
    spread = [(0.05 + 0.9 * n / MANY) * HOUR for n in range(MANY)]
    hooked = database.submit(*(wanted(duration=one) for one in spread))
    polled = database.submit(*(wanted(updates=POLL, duration=one) for one in spread))
    other = database.submit(*(wanted(updates=POLL, model=OTHER, duration=one) for one in spread))
    (longer,) = database.submit(wanted(updates=POLL, duration=1.5 * HOUR))
    until("the hour is over", lambda: time.time() > broke + HOUR / SPEED, 60)
    asked = len(sandbox.requests("GET", path="/v1/videos/", status=502))
    sandbox.heal()
    healed = time.time()
    until(
        "a look was let through", lambda: _asked_and_answered(fleet.database.job(longer).gateway_id, sandbox)
    )
    everything = [*hooked, *polled, *other, longer]
    recovered("one provider answers 502 for an hour", fleet, sandbox, everything, since=healed)

    jobs = {job.id: job for job in database.jobs()}
    by_hook = [jobs[job].won_by for job in hooked].count(Source.WEBHOOK)
    assert by_hook > MANY // 2, "a look reads the list for other jobs, and may be first now and then"
    before = [jobs[job].won_by for job in polled if jobs[job].state_since < healed]
    assert before == [Source.LIST] * len(before)
    assert before, "the list is asked while the breaker is open"
    assert {(jobs[job].won_by, jobs[job].look_errors) for job in other} == {(Source.POLL, 0)}
    # One question for each job, all of them on their way before the first answer came; then the breaker.
    assert asked <= 2 * MANY + 1 + WORKERS * (FAILURES_TO_OPEN + 1 + HOUR / SPEED // FIRST_PAUSE)


def _asked_and_answered(gateway_id: str | None, sandbox: Sandbox) -> bool:
    """Half-open: after its pause the breaker lets one look through, and its answer lets all others."""
    return bool(sandbox.requests("GET", path=f"/v1/videos/{gateway_id}", status=200))
