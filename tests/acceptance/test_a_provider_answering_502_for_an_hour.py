"""One provider answers 502 to every look for an hour, while its webhooks and the list are right.

The hour is the gateway's, 18 seconds here (three minutes in a soak, in which probes fail and pauses grow);
pauses of the breaker and guidance for looks are real seconds.
"""

import time
from collections.abc import Iterator

import pytest

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE
from orchestrator.core.job import Source, Updates
from tests.acceptance.conftest import SPEED, Deploy, running
from tests.acceptance.database import wanted
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import BY_LOOKS
from tests.acceptance.waiting import until

OTHER = "x-ai/grok-video"
HOUR = 3600.0
LONGEST = 180.0  # real seconds that it takes
GUIDANCE = 5.0
MANY = 20  # of each kind
WORKERS = 2
POLL = Updates.POLL


@pytest.fixture
def hour(soak: float) -> float:
    """How many real seconds the gateway's hour takes."""
    return max(HOUR / SPEED, min(soak, LONGEST))


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory, hour: float) -> Iterator[Sandbox]:
    yield from running(tmp_path_factory.mktemp("sandbox"), "sandbox", "--time-scale", str(HOUR / hour))


def test_nothing_fails_nobody_is_hammered_and_others_flow(
    deploy: Deploy, sandbox: Sandbox, hour: float
) -> None:
    fleet = deploy(sandbox, poll_after_seconds=GUIDANCE)
    fleet.start_all(workers=WORKERS)
    database = fleet.database
    sandbox.faults(provider_502="google-ai-studio")
    broke = time.time()
    spread = [(0.05 + 0.9 * n / MANY) * HOUR for n in range(MANY)]
    hooked = database.submit(*(wanted(duration=one) for one in spread))
    polled = database.submit(*(wanted(updates=POLL, duration=one) for one in spread))
    other = database.submit(*(wanted(updates=POLL, model=OTHER, duration=one) for one in spread))
    (longer,) = database.submit(wanted(updates=POLL, outcome="never"))
    until("the hour is over", lambda: time.time() > broke + hour, hour + 60)
    # While the breaker is open the list is asked, and tells of jobs that no look and no webhook does.
    until("the list told of one", lambda: Source.LIST in {database.job(one).won_by for one in polled}, 120)
    asked = len(sandbox.requests("GET", path="/v1/videos/", status=502))
    lasted = time.time() - broke
    sandbox.heal()
    sandbox.faults(hooks_stopped=True)  # of the last one only a look tells
    healed = time.time()
    sandbox.trigger(str(database.job(longer).gateway_id), "video.completed")
    everything = [*hooked, *polled, *other, longer]
    recovered("one provider answers 502 for an hour", fleet, sandbox, everything, since=healed)

    jobs = {job.id: job for job in database.jobs()}
    by_hook = [jobs[job].won_by for job in hooked]
    assert Source.WEBHOOK in by_hook, "a look reads the list for other jobs, but it is not always first"
    before = [jobs[job].won_by for job in polled if jobs[job].state_since < healed]
    assert before == [Source.LIST] * len(before)
    assert {jobs[job].won_by for job in other} <= BY_LOOKS
    assert {jobs[job].look_errors for job in other} == {0}
    # Half-open: after its pause the breaker lets one look through, and its answer lets all others. A look at
    # another job may have read the list before.
    assert jobs[longer].won_by in BY_LOOKS
    # One question for each job, all of them on their way before the first answer came; then the breaker.
    assert asked <= 2 * MANY + 1 + WORKERS * (FAILURES_TO_OPEN + 1 + lasted // FIRST_PAUSE)
