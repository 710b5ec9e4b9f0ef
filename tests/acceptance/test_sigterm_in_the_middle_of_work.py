"""Processes are told to stop while they work: they finish what is under way, and give back the rest."""

import os
import signal
import time
from typing import Any

from orchestrator.core.job import Source, Updates
from orchestrator.store import workers
from tests.acceptance.conftest import SPEED, Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import done, now, submit_in_flight
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

MANY = 40


def test_a_worker_finishes_its_calls_and_gives_up_its_leases(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox, drain_seconds=20)
    fleet.start_all(workers=1)
    early = submit_in_flight(fleet, [wanted(updates=Updates.POLL, duration=8), wanted(duration=0.8)])
    sandbox.faults(latency=3.0)
    late = fleet.database.submit(wanted(duration=1.0))
    every = {"POST", "GET", "content"}
    until("a create, a look and a hand-off are under way", lambda: _under_way(sandbox) == every, every=0.02)

    worker = fleet.of("worker")[0]
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.terminate(60) == 0, worker.complained()  # told a second time, it goes on just the same
    assert fleet.database.job(late[0]).gateway_id, "the create was not finished"
    assert early[1] in [one.job_id for one in done(fleet.database)], "the hand-off was not finished"
    assert _nobody_is_known(fleet)

    sandbox.heal()
    stopped = now()
    fleet.start("worker")
    recovered("SIGTERM to the only worker, then a new one", fleet, sandbox, [*early, *late], since=stopped)


def test_a_worker_that_is_not_done_in_time_leaves_it_to_another(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox, drain_seconds=1)
    fleet.start_all(workers=1)
    jobs = submit_in_flight(fleet, [wanted(duration=3.0)])
    sandbox.faults(latency=40.0)
    until("a hand-off is under way", lambda: "content" in _under_way(sandbox))
    sandbox.heal()  # what is under way stays as it is
    worker, began = fleet.of("worker")[0], time.monotonic()
    assert worker.terminate(60) == 0, worker.complained()
    assert time.monotonic() - began < 20, "it waited for the answer"
    assert not done(fleet.database)
    assert _nobody_is_known(fleet), "its leases are not free"

    stopped = now()
    fleet.start("worker")
    recovered("SIGTERM, and the drain time is over", fleet, sandbox, jobs, since=stopped)


def test_a_worker_that_drains_begins_nothing_new_and_keeps_its_leases(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer
) -> None:
    """Also where no message told it to work: Redis is away."""
    fleet = deploy(sandbox, broker_url=own_redis.url, drain_seconds=30, hand_off_threads=1)
    fleet.start_all(workers=2)
    own_redis.stop()
    jobs = submit_in_flight(fleet, [wanted(duration=4.0) for _ in range(8)])
    sandbox.faults(latency=9.0)  # longer than a worker may be silent
    until("both hand one off", lambda: sandbox.contents() == 2)
    for worker in fleet.of("worker"):
        os.kill(worker.pid, signal.SIGTERM)
    for worker in fleet.of("worker"):
        assert worker.wait(60) == 0, worker.complained()
    assert len(done(fleet.database)) == 2
    assert sandbox.contents() == 2
    assert not fleet.events("hand_off_failed")

    sandbox.heal()
    own_redis.start()
    stopped = now()
    fleet.start("worker")
    recovered("SIGTERM to all workers with Redis away", fleet, sandbox, jobs, since=stopped)


def test_web_leaves_no_webhook_half_taken(deploy: Deploy, fast_sandbox: Sandbox) -> None:
    sandbox = fast_sandbox
    fleet = deploy(sandbox, poll_after_seconds=20)  # looks help only those that the gateway gave up
    fleet.start_all(workers=1)
    jobs: list[str] = []
    stopped = 0.0
    for _ in range(2):
        earlier = len(done(fleet.database))
        jobs += submit_in_flight(fleet, [wanted(duration=(1.0 + 0.1 * n) * SPEED) for n in range(MANY // 2)])
        until("some have ended", lambda earlier=earlier: len(done(fleet.database)) >= earlier + MANY // 8)  # type: ignore[misc]
        assert fleet.database.unfinished(jobs)
        stopped = now()
        fleet.stop("web")
        fleet.start("web")
    recovered("SIGTERM to web under load, twice", fleet, sandbox, jobs, since=stopped)
    assert Source.WEBHOOK in {fleet.database.job(job).won_by for job in jobs}
    kept = {entry.event_key for entry in fleet.database.inbox()}
    told = {row["event_id"] for row in sandbox.webhooks() if 200 in row["statuses"] or 202 in row["statuses"]}
    assert told <= kept, "answered, and not kept"


def _under_way(sandbox: Sandbox) -> set[str]:
    def kind(one: dict[str, Any]) -> str:
        return "content" if one["path"].endswith("/content") else str(one["method"])

    return {kind(one) for one in sandbox.requests(path="/v1/videos") if one["status"] == 0}


def _nobody_is_known(fleet: Fleet) -> bool:
    """Whether no worker is known: a lease is worth nothing without its worker."""
    with fleet.database.store.read() as tx:
        return not workers.alive(tx)
