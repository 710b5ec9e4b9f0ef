"""Work of one kind takes every thread there is for it; work of other kinds goes on as if nothing were."""

from orchestrator.core.job import HandOffState, Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import finish, lasting, now
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until


def test_nothing_else_waits_for_slow_hand_offs_nor_for_slow_creates(deploy: Deploy, sandbox: Sandbox) -> None:
    # Half of the threads are left to what goes elsewhere than to the archive.
    fleet = deploy(sandbox, hand_off_threads=4, create_threads=2)
    fleet.start_all(workers=1)
    _creates_and_looks_go_on_while_all_hand_offs_are_slow(fleet, sandbox)
    _looks_and_hand_offs_go_on_while_all_creates_are_slow(fleet, sandbox)


def _creates_and_looks_go_on_while_all_hand_offs_are_slow(fleet: Fleet, sandbox: Sandbox) -> None:
    sandbox.faults(hold="content")
    jobs = fleet.database.submit(wanted(duration=0), wanted(duration=0))
    until("every thread that may fetch is busy", lambda: sandbox.contents() == 2)
    began = now()
    more = fleet.database.submit(*(wanted(updates=Updates.POLL, duration=0.5) for _ in range(6)))
    until("the others are settled", lambda: _settled(fleet, more))
    print(f"created and settled in {now() - began:.1f} s")
    states = {one.state for job in jobs for one in fleet.database.owed(job)}
    assert states == {HandOffState.OWED}
    sandbox.heal()
    recovered("hand-offs that take every thread", fleet, sandbox, [*jobs, *more], since=began)


def _looks_and_hand_offs_go_on_while_all_creates_are_slow(fleet: Fleet, sandbox: Sandbox) -> None:
    jobs = fleet.database.submit(*lasting(6, Updates.POLL))
    until("all are created", lambda: all(job.gateway_id for job in fleet.database.jobs()))
    sandbox.faults(hold="creates")
    slow = wanted(updates=Updates.POLL, duration=0.1)  # no hook tells its id before
    more = fleet.database.submit(slow, slow)
    until("every thread for creates is busy", lambda: _creating(sandbox) == 2)
    began = now()
    finish(fleet, sandbox, jobs)
    fleet.database.wait(jobs)
    assert not any(fleet.database.job(job).gateway_id for job in more)
    sandbox.heal()
    recovered("creates that take every thread", fleet, sandbox, [*jobs, *more], since=began)


def _settled(fleet: Fleet, jobs: list[str]) -> bool:
    return all(fleet.database.job(job).state is State.COMPLETED for job in jobs)


def _creating(sandbox: Sandbox) -> int:
    return sum(one["status"] == 0 for one in sandbox.requests("POST", path="/v1/videos"))
