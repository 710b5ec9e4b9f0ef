"""FLUSHALL, three times while jobs are in flight: every message is gone, and nothing else."""

from tests.acceptance.conftest import Deploy
from tests.acceptance.load import done, now, rising, submit_in_flight, unacknowledged
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

MANY = 80


def test_every_job_is_handed_off_once(deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url)
    fleet.start_all(workers=2)
    jobs = submit_in_flight(fleet, rising(MANY, first=2.0))
    for share in (0, MANY // 4, MANY // 2):
        until("some are handed off", lambda share=share: len(done(fleet.database)) >= share)  # type: ignore[misc]
        until("messages are held", lambda: unacknowledged(own_redis))
        assert fleet.database.unfinished(jobs)
        since = now()
        own_redis.flush()

    beyond = recovered("Redis FLUSHALL under load, three times", fleet, sandbox, jobs, since=since)
    assert beyond < 10
    assert not fleet.events("alarm_raised"), "sweeps never stopped"
