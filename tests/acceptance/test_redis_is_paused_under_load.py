"""Redis hangs: connections are taken, nobody answers. Work goes on from rows, webhooks are answered."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.acceptance import hooks
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.load import beat_heard, now, rising, submit_in_flight
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import SECRET, Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

LONGEST = 60.0  # seconds
SENDERS = 8
GATEWAY_WAITS = 30.0  # seconds for the answer to a webhook


def test_jobs_are_made_and_handed_off_during_the_pause(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer, soak: float
) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url)
    fleet.start_all(workers=2)
    until("messages flow", lambda: beat_heard(fleet, since=0))
    began = now()
    own_redis.pause()

    jobs = fleet.database.submit(*rising(20))
    recovered("Redis paused: jobs made and handed off meanwhile", fleet, sandbox, jobs, since=began)
    more = []
    while now() < began + min(soak, LONGEST):
        more += fleet.database.submit(wanted(duration=0.5))
        time.sleep(1)
    fleet.database.wait(more)
    assert_delivered_once(fleet, sandbox, more)

    own_redis.resume()
    resumed = now()
    until("messages flow again", lambda: beat_heard(fleet, since=resumed))
    last = fleet.database.submit(*rising(10))
    recovered("Redis goes on after a pause: jobs after it", fleet, sandbox, last, since=resumed)
    assert len(fleet.of("worker")) == 2


def test_webhooks_are_answered_during_the_pause(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer
) -> None:
    """That none waits for Redis is held by tests/integration/receiver/test_a_broker_that_hangs.py."""
    fleet = deploy(sandbox, broker_url=own_redis.url, poll_after_seconds=300)
    sandbox.faults(hooks_stopped=True)
    fleet.start_all(workers=1)
    patient = [wanted(duration=0, poll_after_seconds=300) for _ in range(60)]
    jobs = submit_in_flight(fleet, patient)
    ids = [str(job.gateway_id) for job in fleet.database.jobs()]
    own_redis.pause()
    began = now()

    with (
        httpx.Client(trust_env=False, timeout=GATEWAY_WAITS, verify=False) as gateway,
        ThreadPoolExecutor(SENDERS) as senders,
    ):

        def tell(gateway_id: str) -> int:
            return hooks.send(
                fleet.receiver, SECRET, gateway_id, "video.completed", "completed", client=gateway
            )[0]

        assert set(senders.map(tell, ids)) == {200}
    recovered("Redis paused: webhooks handed off meanwhile", fleet, sandbox, jobs, since=began)
