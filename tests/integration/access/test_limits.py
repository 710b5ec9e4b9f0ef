"""How often a tenant may ask: with one process, with several, and while Redis is away."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from limits.aio import strategies
from limits.aio.storage import memory

from orchestrator.core.access import Caller, Scope
from orchestrator.errors import RateLimited
from orchestrator.settings import load
from orchestrator.web.api import shared_limits
from orchestrator.web.api.limits import REDIS_AGAIN_AFTER, Limits, Standing
from orchestrator.web.api.shared_limits import CONNECTIONS
from tests.integration.access.conftest import NewApi
from tests.patience import LONG
from tests.servers.redis import Redis, RedisServer

T = TypeVar("T")
BEGAN = 1_800_000_000.0  # the beginning of a minute


class Clock:
    """The time of day, for us and for the library that counts: the test tells it."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> float:
        return self.now

    time = __call__


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (memory, strategies):
        monkeypatch.setattr(module, "time", clock)
    return clock


def a_caller(tenant: str = "shop", **facts: Any) -> Caller:
    return Caller("k", tenant, frozenset({Scope.READ}), **facts)


def limits(clock: Clock, broker_url: str = "", **settings: Any) -> Limits:
    return Limits(load({}, broker_url=broker_url, **settings), clock, clock)


def run(act: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(act())


async def ask(counted: Limits, times: int, caller: Caller) -> list[Standing]:
    found = [await counted.count(caller) for _ in range(times)]
    return [one for one in found if one is not None]


def test_a_tenant_that_asks_too_often_is_told_when_to_come_again(new_api: NewApi) -> None:
    api = new_api(requests_per_minute=3)
    key = api.key()
    answers = [api.ask("/whoami", key) for _ in range(5)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
    last = answers[-1]
    assert last.json()["code"] == "rate_limited"
    assert 0 < int(last.headers["retry-after"]) <= 60
    assert all(one.headers["ratelimit-policy"] == '"tenant";q=3;w=60' for one in answers)
    assert last.headers["ratelimit"].startswith('"tenant";r=0;t=')
    left = [int(one.headers["ratelimit"].split("r=")[1].split(";")[0]) for one in answers]
    assert left == sorted(left, reverse=True)


def test_other_tenants_do_not_pay_for_it_and_each_may_have_a_limit_of_its_own(new_api: NewApi) -> None:
    api = new_api(requests_per_minute=2)
    api.tenant("busy", requests_per_minute=4)
    api.tenant("free", requests_per_minute=0)
    codes = {}
    for name in ("default", "busy", "free"):
        key = api.key(tenant=name)
        answers = [api.ask("/whoami", key) for _ in range(6)]
        codes[name] = sum(one.status_code == 200 for one in answers)
        assert ("ratelimit" in answers[0].headers) == (name != "free")
    assert codes == {"default": 2, "busy": 4, "free": 6}


def test_refusals_count_and_have_the_headers_too(new_api: NewApi) -> None:
    api = new_api(requests_per_minute=2)
    key = api.key(Scope.READ)
    answers = [api.ask("/keys", key) for _ in range(3)]
    assert [one.status_code for one in answers] == [403, 403, 429]
    assert all("ratelimit" in one.headers for one in answers)


def test_strangers_cost_a_tenant_nothing(new_api: NewApi) -> None:
    api = new_api(requests_per_minute=1)
    key = api.key()
    for _ in range(5):
        assert api.ask("/whoami", key[:-1] + ("A" if key[-1] != "A" else "B")).status_code == 401
    assert api.ask("/whoami", key).status_code == 200


def test_requests_are_allowed_again_as_the_window_slides_on(clock: Clock) -> None:
    counted = limits(clock, requests_per_minute=10)

    async def all_of_it() -> list[int]:
        allowed = []
        for second in (0, 30, 90, 119, 240):
            clock.now = BEGAN + second
            found = await ask(counted, 12, a_caller())
            allowed.append(sum(one.allowed for one in found))
        return allowed

    first, more, later, latest, much_later = run(all_of_it)
    assert (first, more) == (10, 0)
    assert 0 < later < 10  # half of the last window still counts
    assert 0 < latest < 10
    assert much_later == 10


def test_what_is_said_to_be_left_is_what_may_still_be_asked(clock: Clock) -> None:
    found = run(lambda: ask(limits(clock, requests_per_minute=5), 7, a_caller()))
    assert [one.allowed for one in found] == [True] * 5 + [False] * 2
    assert [one.left for one in found][-3:] == [0, 0, 0]
    with pytest.raises(RateLimited) as refused:
        found[-1].require()
    assert refused.value.retry.after == found[-1].more_in


def test_processes_count_together_by_redis(redis_server: Redis, clock: Clock) -> None:
    redis_server.flush()

    async def all_of_it() -> int:
        processes = [limits(clock, redis_server.url, requests_per_minute=10) for _ in range(2)]
        found = [one for process in processes for one in await ask(process, 8, a_caller())]
        for process in processes:
            await process.close()
        return sum(one.allowed for one in found)

    assert run(all_of_it) == 10


def test_a_thousand_requests_at_once_are_counted_together_over_a_few_connections(
    redis_server: Redis, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may take longer for a thousand than a request would wait.
    monkeypatch.setattr(shared_limits, "REDIS_WITHIN", LONG)
    monkeypatch.setattr(shared_limits.SharedLimits, "within", LONG)

    async def all_of_it() -> int:
        redis_server.flush()
        counted = limits(clock, redis_server.url, requests_per_minute=900)
        found = await asyncio.gather(*(counted.count(a_caller()) for _ in range(1_000)))
        await counted.close()
        return sum(one.allowed for one in found if one)

    with redis_server.client() as client:
        before = client.info("stats")["total_connections_received"]
        # Redis counts by its own clock: a minute may end meanwhile, and not twice in a row.
        tries = [run(all_of_it)]
        tries += [] if tries == [900] else [run(all_of_it)]
        assert tries[-1] == 900
        opened = client.info("stats")["total_connections_received"] - before
    assert opened <= (CONNECTIONS + 1) * len(tries)  # one more empties it
    assert "limits_alone" not in caplog.messages


def test_while_redis_is_away_each_counts_for_itself_says_so_once_and_goes_back(
    own_redis: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def all_of_it() -> list[int]:
        counted, allowed = limits(clock, own_redis.url, requests_per_minute=10), []
        allowed.append(sum(one.allowed for one in await ask(counted, 6, a_caller())))
        own_redis.stop()
        allowed.append(sum(one.allowed for one in await ask(counted, 12, a_caller())))
        clock.now += REDIS_AGAIN_AFTER
        allowed.append(sum(one.allowed for one in await ask(counted, 12, a_caller())))
        own_redis.start()
        clock.now += REDIS_AGAIN_AFTER
        allowed.append(sum(one.allowed for one in await ask(counted, 12, a_caller())))
        await counted.close()
        return allowed

    together, alone, still_alone, again = run(all_of_it)
    assert (together, alone, still_alone) == (6, 10, 0)
    assert again == 4  # Redis knows of the first six, and of none that were counted elsewhere
    assert caplog.messages.count("limits_alone") == 1
    assert own_redis.url not in caplog.text


def test_streams_are_counted_by_tenant_and_by_token(clock: Clock) -> None:
    counted = limits(clock, streams_per_tenant=3, streams_per_token=2)
    key, token = a_caller(), Caller("t", "shop", frozenset({Scope.READ}), end_user="u")
    with counted.stream(token), counted.stream(token):
        with pytest.raises(RateLimited, match="token"), counted.stream(token):
            pass
        with counted.stream(key):
            with pytest.raises(RateLimited, match="tenant"), counted.stream(key):
                pass
            with counted.stream(a_caller("other")):
                pass
        with counted.stream(key):
            pass
    assert not counted._streams
