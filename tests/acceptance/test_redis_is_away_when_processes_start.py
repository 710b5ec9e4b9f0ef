"""Nobody answers where Redis should be when web, workers and beat start: they work all the same."""

import pytest

from tests.acceptance.conftest import Deploy
from tests.acceptance.load import beat_heard, now, rising
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

DRAIN = 10  # seconds


def test_jobs_are_made_and_handed_off_and_messages_flow_once_it_is_there(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer
) -> None:
    own_redis.stop()
    fleet = deploy(sandbox, broker_url=own_redis.url)
    fleet.start_all(workers=2)
    began = now()
    jobs = fleet.database.submit(*rising(30))
    recovered("Redis away when the processes start", fleet, sandbox, jobs, since=began)

    own_redis.start()
    there = now()
    until("messages flow", lambda: beat_heard(fleet, since=there))
    assert len(fleet.of("worker")) == 2


@pytest.mark.parametrize("trouble", ["stop", "pause"])
def test_processes_that_wait_for_it_stop_when_told(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer, trouble: str
) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url, drain_seconds=DRAIN)
    fleet.start_all(workers=1)
    until("messages flow", lambda: beat_heard(fleet, since=0))
    getattr(own_redis, trouble)()
    until("a message was not taken", lambda: fleet.events("send_failed"))
    began = now()
    fleet.stop("worker", "beat", "web")
    assert now() - began < DRAIN + 60, "one waits for Redis"
