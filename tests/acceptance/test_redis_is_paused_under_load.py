"""Redis hangs: connections are taken, nobody answers. Work goes on from rows, webhooks are answered."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from orchestrator.celery_app import PUBLISHING
from tests.acceptance import hooks
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.load import beat_heard, now, rising, submit_in_flight
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import SECRET, Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

SENDERS = 8


def test_jobs_are_made_and_handed_off_during_the_pause(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer, soak: bool
) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url)
    fleet.start_all(workers=2)
    until("messages flow", lambda: beat_heard(fleet, since=0))
    began = now()
    own_redis.pause()

    jobs = fleet.database.submit(*rising(20))
    beyond = recovered("Redis paused: jobs made and handed off meanwhile", fleet, sandbox, jobs, since=began)
    assert beyond < 10
    more = []
    while now() < began + (60 if soak else 0):
        more += fleet.database.submit(wanted(duration=0.5))
        time.sleep(1)
    fleet.database.wait(more)
    assert_delivered_once(fleet, sandbox, more)

    own_redis.resume()
    resumed = now()
    until("messages flow again", lambda: beat_heard(fleet, since=resumed))
    last = fleet.database.submit(*rising(10))
    fleet.database.wait(last)
    assert_delivered_once(fleet, sandbox, last)
    assert len(fleet.of("worker")) == 2


def test_webhooks_are_answered_at_once_during_the_pause(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer
) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url, poll_after_seconds=300)
    sandbox.faults(hooks_stopped=True)
    fleet.start_all(workers=1)
    patient = [wanted(duration=0.1, poll_after_seconds=300) for _ in range(80)]
    jobs = submit_in_flight(fleet, patient)
    ids = [str(job.gateway_id) for job in fleet.database.jobs()]
    until("the gateway is done", lambda: {row["live"] for row in sandbox.truth()} == {"completed"})

    with httpx.Client(trust_env=False, timeout=20) as client, ThreadPoolExecutor(SENDERS) as senders:

        def tell(gateway_id: str) -> float:
            start = time.monotonic()
            status, _ = hooks.send(
                fleet.receiver, SECRET, gateway_id, "video.completed", "completed", client=client
            )
            assert status == 200
            return time.monotonic() - start

        before = max(senders.map(tell, ids[:20]))
        own_redis.pause()
        began = now()
        during = max(senders.map(tell, ids[20:]))
    print(f"the slowest answer took {before:.2f} s before the pause, {during:.2f} s during it")
    # A message is given up after so long; whoever had to wait for several would take longer.
    assert during < PUBLISHING["socket_timeout"] + max(1.0, 3 * before), "answers wait for Redis"
    recovered("Redis paused: webhooks handed off meanwhile", fleet, sandbox, jobs, since=began)
