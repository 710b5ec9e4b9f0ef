"""Redis is killed, restarted and killed again while workers hold messages that they did not acknowledge.

Celery 5.7.0 ends a worker in that moment; ours go on, and what is due is done from rows meanwhile.
"""

from orchestrator.celery_app import REDIS
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.load import (
    beat_heard,
    finish,
    lasting,
    now,
    rising,
    submit_in_flight,
    unacknowledged,
)
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

MANY = 27  # jobs for each time


def test_workers_outlive_it_and_work_goes_on(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer
) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url)
    fleet.start_all(workers=2)
    jobs, tail = [], []
    killed = back = 0.0
    for blow in (own_redis.kill, own_redis.stop, own_redis.kill):
        until("messages flow", lambda back=back: beat_heard(fleet, since=back))  # type: ignore[misc]
        tail += submit_in_flight(fleet, lasting(4))
        jobs += submit_in_flight(fleet, rising(MANY, first=2.0, every=0.12))
        until("messages are held", lambda: unacknowledged(own_redis))
        killed, missed = now(), len(fleet.events("send_failed"))
        blow()
        until("it is missed", lambda missed=missed: len(fleet.events("send_failed")) > missed)  # type: ignore[misc]
        meanwhile = fleet.database.submit(wanted(duration=0.3))
        fleet.database.wait(meanwhile)  # work goes on without it
        jobs += meanwhile
        own_redis.start()
        back = now()

    finish(fleet, sandbox, tail)
    jobs += tail
    name = "Redis killed, restarted and killed under load"
    beyond = recovered(name, fleet, sandbox, jobs, since=killed)
    assert beyond < REDIS["visibility_timeout"] / 2, "somebody waited for messages to come back"
    assert len(fleet.of("worker")) == 2, "a worker ended with its broker"
    fleet.stop("beat", "worker", "web")
