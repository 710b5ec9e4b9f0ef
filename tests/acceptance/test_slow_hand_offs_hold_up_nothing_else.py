"""Work of one kind takes every thread there is for it; work of other kinds goes on as if nothing were."""

import pytest

from orchestrator.core.job import HandOffState, Updates
from orchestrator.core.lifecycle import State
from orchestrator.engine.submit import Submission
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import now
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

SLOW = 12.0  # seconds; whatever is done before the slow ones did not wait for them


@pytest.fixture
def fleet(deploy: Deploy, sandbox: Sandbox) -> Fleet:
    fleet = deploy(sandbox, hand_off_threads=2, create_threads=2)
    fleet.start_all(workers=1)
    return fleet


def test_creates_and_looks_go_on_while_all_hand_offs_are_slow(fleet: Fleet, sandbox: Sandbox) -> None:
    slow = wanted(duration=0.1, content_bytes=600_000, content_rate=600_000 / SLOW)
    jobs = fleet.database.submit(slow, slow)
    until("every thread for hand-offs is busy", lambda: sandbox.contents() == 2)
    began = now()
    more = fleet.database.submit(*_quick(6))
    until("the others are settled", lambda: _settled(fleet, more))
    took = now() - began
    print(f"created and settled in {took:.1f} s")
    states = {one.state for job in jobs for one in fleet.database.owed(job)}
    assert states == {HandOffState.OWED}, "the slow ones were done too soon to show anything"
    recovered("hand-offs that take every thread", fleet, sandbox, [*jobs, *more], since=began)


def test_looks_and_hand_offs_go_on_while_all_creates_are_slow(fleet: Fleet, sandbox: Sandbox) -> None:
    jobs = fleet.database.submit(*_quick(6, duration=3.0))
    until("all are created", lambda: all(job.gateway_id for job in fleet.database.jobs()))
    slow = wanted(updates=Updates.POLL, create_delay=SLOW, duration=0.1)  # no hook tells its id before
    more = fleet.database.submit(slow, slow)
    until("every thread for creates is busy", lambda: _creating(sandbox) == 2)
    began = now()
    fleet.database.wait(jobs)
    assert not any(fleet.database.job(job).gateway_id for job in more), "the slow ones were done too soon"
    recovered("creates that take every thread", fleet, sandbox, [*jobs, *more], since=began)


def _quick(many: int, duration: float = 0.5) -> list[Submission]:
    return [wanted(updates=Updates.POLL, duration=duration) for _ in range(many)]


def _settled(fleet: Fleet, jobs: list[str]) -> bool:
    return all(fleet.database.job(job).state is State.COMPLETED for job in jobs)


def _creating(sandbox: Sandbox) -> int:
    return sum(one["status"] == 0 for one in sandbox.requests("POST", path="/v1/videos"))
