"""Processes are told to stop while they work: they finish what is under way, and give back the rest."""

import os
import signal
from typing import Any

from orchestrator.core.job import HandOffState, Source, Updates
from orchestrator.processes.timers import BEAT_EVERY, SWEEP_EVERY
from orchestrator.store import workers
from orchestrator.store.database import WORKER_DEAD_AFTER
from tests.acceptance.conftest import SPEED, Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import done, finish, lasting, now, submit_in_flight, swept
from tests.acceptance.recovery import held, recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

MANY = 40
PATIENT: dict[str, Any] = {"look_timeout_seconds": 300, "drain_seconds": 300}


def test_a_worker_finishes_its_calls_and_gives_up_its_leases(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox, **PATIENT)
    fleet.start_all(workers=1)
    early = submit_in_flight(fleet, lasting(2))
    hooked = next(job for job in early if fleet.database.job(job).updates is not Updates.POLL)
    sandbox.faults(hold="all")
    finish(fleet, sandbox, [hooked])
    late = fleet.database.submit(*lasting(1))
    until("a create and a look are under way", lambda: _under_way(sandbox) == {"POST", "GET"})
    until("and a hand-off", lambda: sandbox.contents() == 1)

    worker = fleet.of("worker")[0]
    os.kill(worker.pid, signal.SIGTERM)
    _has_heard_it(fleet)
    os.kill(worker.pid, signal.SIGTERM)  # told a second time, it goes on just the same
    sandbox.heal()
    assert worker.wait() == 0, worker.complained()
    assert fleet.database.job(late[0]).gateway_id, "the create was not finished"
    (archiving,) = fleet.database.archiving(hooked)
    assert archiving.state is HandOffState.DONE, "the hand-off was not finished"
    assert _nobody_is_known(fleet)

    stopped = now()
    fleet.start("worker")
    finish(fleet, sandbox, [*early, *late])
    recovered("SIGTERM to the only worker, then a new one", fleet, sandbox, [*early, *late], since=stopped)


def test_a_worker_that_is_not_done_in_time_leaves_it_to_another(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox, drain_seconds=1)
    fleet.start_all(workers=1)
    jobs = submit_in_flight(fleet, lasting(1))
    sandbox.faults(hold="content")
    finish(fleet, sandbox, jobs)
    until("a hand-off is under way", lambda: sandbox.contents() == 1)
    worker = fleet.of("worker")[0]
    assert worker.terminate() == 0, worker.complained()  # while the answer is still held back
    assert not done(fleet.database)
    assert _nobody_is_known(fleet), "its leases are not free"

    sandbox.heal()
    stopped = now()
    fleet.start("worker")
    recovered("SIGTERM, and the drain time is over", fleet, sandbox, jobs, since=stopped)


def test_a_worker_that_drains_begins_nothing_new_and_keeps_its_leases(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer
) -> None:
    """Also where no message told it to work: Redis is away."""
    fleet = deploy(sandbox, broker_url=own_redis.url, hand_off_threads=4, **PATIENT)
    fleet.start_all(workers=1)
    own_redis.stop()
    jobs = submit_in_flight(fleet, lasting(8))
    sandbox.faults(hold="content")
    finish(fleet, sandbox, jobs)
    worker = fleet.of("worker")[0]
    until("all its threads that may fetch are busy", lambda: len(held(fleet, worker)) == 2)
    told = now()
    os.kill(worker.pid, signal.SIGTERM)
    until("a silent worker would be dead", lambda: now() > told + WORKER_DEAD_AFTER + BEAT_EVERY)
    assert worker.alive, "it did not wait for what is under way"
    sandbox.heal()
    assert worker.wait() == 0, worker.complained()
    archived = [one for job in jobs for one in fleet.database.archiving(job)]
    assert sum(one.state is HandOffState.DONE for one in archived) == 2, "a lease was lost"
    assert not done(fleet.database), "more was begun"
    assert sandbox.contents() == 2, "more was begun"
    assert not fleet.events("hand_off_failed")

    own_redis.start()
    stopped = now()
    fleet.start("worker")
    recovered("SIGTERM to all workers with Redis away", fleet, sandbox, jobs, since=stopped)


def test_web_leaves_no_webhook_half_taken(deploy: Deploy, fast_sandbox: Sandbox) -> None:
    sandbox = fast_sandbox
    fleet = deploy(sandbox, poll_after_seconds=20)  # looks help only those that the gateway gave up
    fleet.start_all(workers=1)
    jobs, tail = [], []
    stopped = 0.0
    for _ in range(2):
        earlier = len(done(fleet.database))
        tail += submit_in_flight(fleet, lasting(4, Updates.HYBRID))
        jobs += submit_in_flight(fleet, [wanted(duration=(1.0 + 0.1 * n) * SPEED) for n in range(MANY // 2)])
        until("some have ended", lambda earlier=earlier: len(done(fleet.database)) >= earlier + MANY // 8)  # type: ignore[misc]
        stopped = now()
        fleet.stop("web")
        fleet.start("web")
    finish(fleet, sandbox, tail)
    jobs += tail
    recovered("SIGTERM to web under load, twice", fleet, sandbox, jobs, since=stopped)
    assert Source.WEBHOOK in {fleet.database.job(job).won_by for job in jobs}
    kept = {entry.event_key for entry in fleet.database.inbox()}
    told = {row["event_id"] for row in sandbox.webhooks() if 200 in row["statuses"] or 202 in row["statuses"]}
    assert told <= kept, "answered, and not kept"


def _under_way(sandbox: Sandbox) -> set[str]:
    """The methods of the requests that have no answer yet."""
    return {str(one["method"]) for one in sandbox.requests(path="/v1/videos") if one["status"] == 0}


def _has_heard_it(fleet: Fleet) -> None:
    """Until the only worker takes no message any more: beat asks for a sweep every second."""
    until("nobody sweeps", lambda: not swept(fleet, since=now() - 3 * SWEEP_EVERY))


def _nobody_is_known(fleet: Fleet) -> bool:
    """Whether no worker is known: a lease is worth nothing without its worker."""
    with fleet.database.store.read() as tx:
        return not workers.alive(tx)
