"""No beat: workers sweep by themselves, and an alarm says so. Two beats: nothing is done twice."""

from tests.acceptance.conftest import Deploy
from tests.acceptance.load import alarms, now, ringing, rising, swept, until_all_is_well
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

MANY = 30


def test_without_beat_work_goes_on_and_an_alarm_is_raised_until_it_is_back(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet = deploy(sandbox)
    fleet.start_all(workers=2)
    until_all_is_well(fleet)
    fleet.kill("beat")
    began = now()
    jobs = fleet.database.submit(*rising(MANY))
    recovered("beat killed: jobs made and handed off without it", fleet, sandbox, jobs, since=began)

    until("readyz says so", lambda: alarms(fleet) == ["no_beat"])
    until("each process says so", lambda: ringing(fleet, "no_beat") == 3)
    missed = now()
    until("the workers sweep by themselves", lambda: swept(fleet, since=missed))
    fleet.start("beat")
    until_all_is_well(fleet)


def test_two_beats_ask_twice_and_nothing_is_done_twice(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer
) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url)
    fleet.start_all(workers=2)
    fleet.start("beat")
    began = now()
    jobs = fleet.database.submit(*rising(MANY))
    recovered("two beats at once", fleet, sandbox, jobs, since=began)
    until("sweeps are done as fast as they are asked for", lambda: _asked(own_redis) < 5)
    fleet.stop("beat")


def test_a_beat_without_its_broker_says_so_in_one_line_each_time_and_goes_on(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer
) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url)
    beat = fleet.start("beat")
    until("it sends", lambda: _asked(own_redis))
    own_redis.stop()
    until("it says so", lambda: len(fleet.events("send_failed", task="sweep")) >= 2)
    own_redis.start()
    own_redis.flush()
    until("it sends again", lambda: _asked(own_redis))
    fleet.stop("beat")
    assert max(len(line) for line in beat.complained().splitlines()) < 500


def _asked(redis: RedisServer) -> int:
    with redis.client() as client:
        return int(client.llen("orchestrator:sweep"))
