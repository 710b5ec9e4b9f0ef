"""Redis is stopped for minutes and started again empty: work goes on from rows, then by messages again."""

import time

from orchestrator.settings import QUEUES
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.load import alarms, beat_heard, now, ringing, rising, until_all_is_well
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

LONGEST = 600.0  # seconds


def test_work_goes_on_an_alarm_is_raised_and_all_is_as_before_afterwards(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer, soak: float
) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url)
    fleet.start_all(workers=2)
    until_all_is_well(fleet)
    own_redis.stop()
    gone = now()

    jobs = fleet.database.submit(*rising(30))
    recovered("Redis stopped: jobs made and handed off meanwhile", fleet, sandbox, jobs, since=gone)
    while now() < gone + min(soak, LONGEST):
        jobs += fleet.database.submit(wanted(duration=1.0))
        time.sleep(1)
    until("each process says so", lambda: ringing(fleet, "no_beat") == 3)
    until("readyz says so", lambda: alarms(fleet) == ["no_beat"])

    own_redis.start()
    own_redis.flush()
    back = now()
    until("messages flow again", lambda: beat_heard(fleet, since=back))
    print(f"messages flowed again after {now() - back:.1f} s")
    more = fleet.database.submit(*rising(10))
    recovered("Redis back, empty: jobs after it", fleet, sandbox, [*jobs, *more], since=back)
    until_all_is_well(fleet)
    with own_redis.client() as client:
        until("every queue is served", lambda: not any(client.llen(f"orchestrator:{one}") for one in QUEUES))
