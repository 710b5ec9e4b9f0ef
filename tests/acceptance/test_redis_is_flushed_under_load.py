"""FLUSHALL, three times while jobs are in flight: every message is gone, and nothing else."""

from orchestrator.celery_app import REDIS
from tests.acceptance.conftest import Deploy
from tests.acceptance.load import (
    done,
    finish,
    lasting,
    now,
    rising,
    submit_in_flight,
    unacknowledged,
    until_all_is_well,
)
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

MANY = 48


def test_every_job_is_handed_off_once(deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url)
    fleet.start_all(workers=2)
    tail = submit_in_flight(fleet, lasting(10))
    jobs = tail + submit_in_flight(fleet, rising(MANY, first=2.0))
    for share in (0, MANY // 4, MANY // 2):
        until("some are handed off", lambda share=share: len(done(fleet.database)) >= share)  # type: ignore[misc]
        until("messages are held", lambda: unacknowledged(own_redis))
        since = now()
        own_redis.flush()

    finish(fleet, sandbox, tail)
    beyond = recovered("Redis FLUSHALL under load, three times", fleet, sandbox, jobs, since=since)
    assert beyond < REDIS["visibility_timeout"] / 2, "somebody waited for messages to come back"
    until_all_is_well(fleet)
