"""Transactions: whole or not at all, in turn, by the database's clock."""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update

from orchestrator.errors import SettingError, StoreError
from orchestrator.store import workers
from orchestrator.store.database import Store, sqlite_path
from orchestrator.store.schema import pulses
from tests.integration.store.rows import a_job, keep


def count_up(store: Store, times: int) -> None:
    """Read and write in one transaction each, as a lost update would show."""
    for _ in range(times):
        with store.write() as tx:
            at = tx.execute(select(pulses.c.at).where(pulses.c.name == "count")).scalar_one()
            tx.execute(update(pulses).where(pulses.c.name == "count").values(at=at + 1))


def begin_counting(store: Store) -> None:
    with store.write() as tx:
        tx.execute(pulses.insert().values(name="count", at=0))


def counted(store: Store) -> float | None:
    with store.read() as tx:
        return workers.last_pulse(tx, "count")


def test_what_sqlite_is_told_is_really_in_force(store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    for _ in range(3):
        with store.write() as first, store.read() as second:
            for tx in (first, second):
                found = {name: tx.execute(text(f"PRAGMA {name}")).scalar() for name in wanted}
                assert found == wanted


def test_only_a_lease_is_taken_without_waiting_for_the_disk_and_the_next_write_waits_again(
    store: Store,
) -> None:
    for durable, wanted in ((True, 2), (False, 1), (True, 2), (False, 1), (True, 2)):
        with store.write(durable=durable) as tx:
            assert tx.execute(text("PRAGMA synchronous")).scalar() == wanted


def test_a_write_takes_the_lock_at_its_beginning(store: Store) -> None:
    path = sqlite_path(store.url)
    assert path is not None
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with store.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with store.read():
        other.execute("BEGIN IMMEDIATE")
        other.execute("COMMIT")
    other.close()


def test_many_writers_in_many_threads_all_get_their_turn(store: Store) -> None:
    begin_counting(store)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: count_up(one, 100), [store] * 4))
    assert counted(store) == 400


def test_writers_of_several_processes_get_their_turn_too(store: Store) -> None:
    # Two stores share no lock of ours, as two processes do not.
    begin_counting(store)
    other = Store(store.url)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: count_up(one, 50), [store, other] * 2))
    other.close()
    assert counted(store) == 200


def test_a_reader_is_not_kept_waiting_by_a_writer_and_sees_what_was_committed(store: Store) -> None:
    begin_counting(store)
    with store.write() as tx:
        tx.execute(update(pulses).values(at=7))
        assert counted(store) == 0
    assert counted(store) == 7


def pulse_and_fail(store: Store, follow: Callable[[], object]) -> None:
    with store.write() as tx:
        tx.after_commit.append(follow)
        workers.pulse(tx, "count")
        raise ValueError("no")


def fail_at_the_commit(store: Store, follow: Callable[[], object]) -> None:
    with store.write() as tx:
        tx.after_commit.append(follow)
        tx.execute(text("PRAGMA defer_foreign_keys = ON"))
        tx.execute(text("UPDATE jobs SET tenant_id = 'nobody'"))


def test_an_exception_rolls_everything_back(store: Store) -> None:
    with pytest.raises(ValueError, match="no"):
        pulse_and_fail(store, print)
    assert counted(store) is None


def test_a_failed_write_does_not_hold_up_the_next(store: Store) -> None:
    for _ in range(3):
        with pytest.raises(StoreError), store.write() as tx:
            tx.execute(text("INSERT INTO nowhere VALUES (1)"))
    begin_counting(store)
    assert counted(store) == 0


def test_what_is_to_follow_a_commit_runs_once_it_is_true(store: Store) -> None:
    seen: list[float | None] = []
    with store.write() as tx:
        tx.execute(pulses.insert().values(name="count", at=3))
        tx.after_commit.append(lambda: seen.append(counted(store)))
        assert not seen
    assert seen == [3]


def test_what_is_to_follow_a_commit_never_runs_after_a_rollback(store: Store) -> None:
    seen: list[str] = []
    keep(store, a_job())
    with pytest.raises(ValueError, match="no"):
        pulse_and_fail(store, lambda: seen.append("ran"))
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        fail_at_the_commit(store, lambda: seen.append("ran"))
    assert not seen


def test_a_transaction_may_follow_a_commit(store: Store) -> None:
    with store.write() as tx:
        tx.after_commit.append(lambda: begin_counting(store))
    assert counted(store) == 0


def test_time_is_the_databases_in_fractions_of_a_second(database_url: str) -> None:
    store = Store(database_url)
    before = time.time()
    with store.read() as tx:
        assert before - 0.01 <= tx.now <= time.time() + 0.01
        assert tx.now % 1 != 0
    store.close()


def test_waiting_for_the_lock_does_not_make_a_transaction_older(database_url: str) -> None:
    store = Store(database_url)
    began, moments = threading.Event(), []

    def second() -> None:
        began.set()
        with store.write() as tx:
            moments.append(tx.now)

    with store.write():
        waiting = threading.Thread(target=second)
        waiting.start()
        began.wait()
        released = time.time()
        while time.time() < released + 0.02:
            pass
    waiting.join()
    assert moments[0] >= released + 0.01
    store.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/db", "oracle://x"])
def test_a_database_that_is_none_of_ours_is_refused(url: str) -> None:
    with pytest.raises(SettingError):
        Store(url)
