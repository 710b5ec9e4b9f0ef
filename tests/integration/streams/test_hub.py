"""The one reader of a process: what it hands out to whom, and when; and what wakes it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text

from orchestrator.core.events import Told
from orchestrator.processes.ringing import hearing, ringing
from orchestrator.store import events, jobs
from orchestrator.store.database import Store
from orchestrator.store.events import Entry
from orchestrator.web import hub
from orchestrator.web.hub import Following, Hub
from tests.acceptance.waiting import until
from tests.integration.store.rows import a_job, keep
from tests.integration.store.together import Elsewhere
from tests.patience import LONG

on_postgresql = pytest.mark.parametrize("kind", ["postgresql"])


def tell(store: Store, job_id: str, **data: object) -> None:
    with store.write() as tx:
        events.append(tx, jobs.lock(tx, job_id), Told.PROGRESS, data)


async def take(following: Following, many: int) -> list[tuple[str, int]]:
    """So many of what comes."""
    taken: list[Entry] = []
    async with asyncio.timeout(LONG):
        while len(taken) < many:
            taken += await following.take(1.0)
    return [(one.job_id, one.seq) for one in taken]


def followed(store: Store, act: Callable[[Hub], Awaitable[None]]) -> None:
    """Act on the event loop of a hub that each commit of this store wakes."""

    async def run() -> None:
        there = Hub(store)
        store.ring = there.wake
        await act(there)
        there.stop()

    asyncio.run(run())


async def elsewhere_tell(store: Store, *job_ids: str) -> None:
    for job_id in job_ids:
        await asyncio.to_thread(tell, store, job_id)


def test_each_is_handed_what_they_follow(store: Store) -> None:
    keep(store, a_job("job_1", end_user="u"), a_job("job_2"))
    tell(store, "job_1")  # before anybody follows: that is for the database to tell

    async def act(there: Hub) -> None:
        async with (
            there.follow(hub.of_job("job_1")) as job,
            there.follow(hub.of_tenant("default")) as tenant,
            there.follow(hub.of_tenant("default", "u")) as user,
        ):
            await elsewhere_tell(store, "job_1", "job_2", "job_1")
            assert await take(job, 2) == [("job_1", 2), ("job_1", 3)]
            assert await take(tenant, 3) == [("job_1", 2), ("job_2", 1), ("job_1", 3)]
            assert await take(user, 2) == [("job_1", 2), ("job_1", 3)]
        assert there.followers == 0

    followed(store, act)


def test_without_followers_nothing_is_read_and_whoever_comes_then_is_handed_what_is_new(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, a_job("job_1"))
    real, reads = events.news, []

    def news(*given: object, **more: object) -> list[Entry]:
        reads.append(given)
        return real(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(events, "news", news)

    async def act(there: Hub) -> None:
        for number in (1, 2, 3):
            async with there.follow(hub.of_job("job_1")) as job:
                await elsewhere_tell(store, "job_1")
                assert await take(job, 1) == [("job_1", number)]
            reading = there._reading
            assert reading is not None
            await reading
        before = len(reads)
        await elsewhere_tell(store, "job_1", "job_1")
        assert len(reads) == before

    followed(store, act)


@on_postgresql
def test_what_commits_late_is_handed_out_at_once_to_its_job_and_in_order_to_the_tenant(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    begun, may_end = threading.Event(), threading.Event()

    def slowly() -> None:
        with store.write() as tx:
            events.append(tx, jobs.lock(tx, "job_1"), Told.PROGRESS, {})
            begun.set()
            assert may_end.wait(LONG)

    async def act(there: Hub) -> None:
        async with (
            there.follow(hub.of_job("job_2")) as other,
            there.follow(hub.of_tenant("default")) as tenant,
        ):
            slow = elsewhere.begin(slowly)
            await asyncio.to_thread(begun.wait, LONG)
            await elsewhere_tell(store, "job_2", "job_2")
            assert await take(other, 2) == [("job_2", 1), ("job_2", 2)]
            assert await tenant.take(0.0) == [], "it would be behind what is still to come"
            may_end.set()
            await asyncio.to_thread(slow.result, LONG)
            assert await take(tenant, 3) == [("job_1", 1), ("job_2", 1), ("job_2", 2)]
            assert await other.take(0.0) == [], "it was handed out before"

    followed(store, act)


@on_postgresql
def test_a_tenant_is_told_as_soon_as_an_older_transaction_ends_that_tells_nothing(
    kind: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "LOOK_EVERY", 600.0)
    keep(store, a_job("job_1"))

    async def act(there: Hub) -> None:
        async with there.follow(hub.of_tenant("default")) as ours, there.follow(hub.of_job("job_1")) as one:
            with store.write() as older:
                older.execute(text("SELECT pg_current_xact_id()"))
                await elsewhere_tell(store, "job_1")
                assert await take(one, 1) == [("job_1", 1)]
                assert await ours.take(0.0) == []
            assert await take(ours, 1) == [("job_1", 1)]

    followed(store, act)


def test_who_left_is_not_remembered_for_ever_by_those_who_stay(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "GONE_EVERY", 0.05)
    keep(store, a_job("job_1"))

    async def act(there: Hub) -> None:
        async with there.follow(hub.of_job("job_1")), asyncio.timeout(LONG):
            there.asked_about["left long ago"] = asyncio.get_running_loop().time()
            while there.asked_about:
                there.wake()
                await asyncio.sleep(0.01)

    followed(store, act)


def test_a_wake_up_that_is_lost_costs_a_second_and_no_event(store: Store) -> None:
    keep(store, a_job("job_1"))

    async def act(there: Hub) -> None:
        store.ring = lambda: None
        async with there.follow(hub.of_job("job_1")) as job:
            await elsewhere_tell(store, "job_1")
            assert await take(job, 1) == [("job_1", 1)]

    followed(store, act)


def test_a_bug_while_events_are_read_leaves_nobody_in_silence(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, a_job("job_1"))
    real, broke = events.news, threading.Event()

    def news(*given: object, **more: object) -> list[Entry]:
        if not broke.is_set():
            broke.set()
            raise ValueError("a bug")
        return real(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(events, "news", news)

    async def act(there: Hub) -> None:
        async with there.follow(hub.of_job("job_1")) as job:
            await elsewhere_tell(store, "job_1")
            assert await job.take(LONG) == []
            assert job.missed, "they read from the database what was told"
            job.begin()
            await elsewhere_tell(store, "job_1")
            assert await take(job, 1) == [("job_1", 2)]

    followed(store, act)


def test_nobody_waits_for_a_server_that_stops(store: Store) -> None:
    keep(store, a_job("job_1"))

    async def act(there: Hub) -> None:
        async with there.follow(hub.of_tenant("default")) as tenant, there.follow(hub.of_job("job_1")) as job:
            there.stop()
            for one in (tenant, job):
                async with asyncio.timeout(LONG / 2):
                    assert await one.take(LONG) == []
                assert one.over
        async with there.follow(hub.of_job("job_1")) as late:
            assert late.over

    followed(store, act)


@on_postgresql
def test_a_commit_in_one_process_wakes_another_also_after_its_connection_was_lost(
    store: Store,
) -> None:
    keep(store, a_job("job_1"))
    woken = threading.Event()
    other = Store(store.url)
    with hearing(other, woken.set), ringing(store):
        assert woken.wait(LONG), "once it listens: something may have been told before"
        woken.clear()
        tell(store, "job_1")
        assert woken.wait(LONG)
        woken.clear()
        with store.write() as tx:
            ended = tx.execute(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query LIKE 'LISTEN%' OR query LIKE 'NOTIFY%'"
                )
            )
            assert ended.scalar() == 2
        assert woken.wait(LONG), "it listens anew"
        woken.clear()
        tell(store, "job_1")
        assert woken.wait(LONG)
    other.close()


@on_postgresql
def test_many_commits_share_a_notice_and_the_last_is_always_told(store: Store) -> None:
    keep(store, a_job("job_1"))
    heard: list[int] = []

    def look() -> None:
        with other.read() as tx:
            heard.append(len(events.of_job(tx, "job_1", limit=1_000)))

    other = Store(store.url)
    with hearing(other, look), ringing(store):
        until("it listens", lambda: bool(heard), LONG)
        for _ in range(200):
            tell(store, "job_1")
        until("the last commit is known", lambda: heard[-1] == 200, LONG)
    assert len(heard) < 200
    other.close()
