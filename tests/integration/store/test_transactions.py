"""Transactions: whole or not at all, in turn, by the database's clock."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update

from orchestrator.errors import SettingError, StoreError
from orchestrator.store import workers
from orchestrator.store.database import Store
from orchestrator.store.schema import pulses
from orchestrator.store.workers import Pulse
from tests.integration.store.rows import a_job, keep


def count_up(store: Store, times: int) -> None:
    """Read and write in one transaction each, as a lost update would show."""
    mine = select(pulses.c.at).where(pulses.c.name == Pulse.SWEEP).with_for_update()
    for _ in range(times):
        with store.write() as tx:
            at = tx.execute(mine).scalar_one()
            tx.execute(update(pulses).where(pulses.c.name == Pulse.SWEEP).values(at=at + 1))


def begin_counting(store: Store) -> None:
    with store.write() as tx:
        tx.execute(pulses.insert().values(name=Pulse.SWEEP, at=0))


def counted(store: Store) -> float | None:
    with store.read() as tx:
        return workers.last_pulse(tx, Pulse.SWEEP)


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
        workers.pulse(tx, Pulse.SWEEP)
        raise ValueError("no")


CHECK_AT_THE_COMMIT = {
    "sqlite": "PRAGMA defer_foreign_keys = ON",
    "postgresql": "ALTER TABLE jobs ALTER CONSTRAINT fk_jobs_tenant_id DEFERRABLE INITIALLY DEFERRED",
}


def fail_at_the_commit(store: Store, follow: Callable[[], object]) -> None:
    with store.write() as tx:
        tx.after_commit.append(follow)
        tx.execute(text(CHECK_AT_THE_COMMIT[store.engine.dialect.name]))
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
        tx.execute(pulses.insert().values(name=Pulse.SWEEP, at=3))
        tx.after_commit.append(lambda: seen.append(counted(store)))
        assert not seen
    assert seen == [3]


def test_what_is_to_follow_a_commit_never_runs_after_a_rollback(store: Store) -> None:
    seen: list[str] = []
    keep(store, a_job())
    with pytest.raises(ValueError, match="no"):
        pulse_and_fail(store, lambda: seen.append("ran"))
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        fail_at_the_commit(store, lambda: seen.append("ran"))
    assert not seen


def test_a_transaction_may_follow_a_commit(store: Store) -> None:
    with store.write() as tx:
        tx.after_commit.append(lambda: begin_counting(store))
    assert counted(store) == 0


def test_a_connection_that_is_in_use_while_the_store_is_closed_is_closed_after_it(store: Store) -> None:
    with store.write() as tx:
        used = tx.connection.connection.driver_connection
        store.close()
        tx.execute(text("SELECT 1"))
    assert used is not None
    with pytest.raises(store.engine.dialect.loaded_dbapi.Error, match="closed"):
        used.execute("SELECT 1")


def test_time_is_the_databases_in_fractions_of_a_second(database_url: str) -> None:
    store = Store(database_url)
    before = time.time()
    with store.read() as tx:
        assert before - 0.01 <= tx.now <= time.time() + 0.01
        assert tx.now % 1 != 0
    store.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/db", "oracle://x"])
def test_a_database_that_is_none_of_ours_is_refused(url: str) -> None:
    with pytest.raises(SettingError):
        Store(url)
