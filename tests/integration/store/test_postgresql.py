"""What only PostgreSQL does: limits, pools, a server that may be away. All else here runs on both."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from orchestrator.core.job import Observation, Source
from orchestrator.core.lifecycle import Seen, State, Step, Verdict
from orchestrator.errors import StoreError
from orchestrator.store import database, hand_offs, inbox, job_lists, jobs, observations, workers
from orchestrator.store.database import BUSY_FOR, IDLE_WITHIN, STATEMENT_WITHIN, Store
from orchestrator.store.inbox import EntryState
from orchestrator.store.migrate import migrate
from tests.acceptance.waiting import until
from tests.integration.store.rows import a_job, keep, owe, read, remember
from tests.servers.fixtures import NewDatabase
from tests.servers.postgres import PostgresServer


@pytest.fixture
def kind() -> str:
    return "postgresql"


def shown(tx: database.Transaction, name: str) -> str:
    return str(tx.execute(text(f"SHOW {name}")).scalar_one())


def test_the_limits_are_in_force_on_every_connection(store: Store) -> None:
    wanted = {
        "lock_timeout": f"{BUSY_FOR:.0f}s",
        "statement_timeout": f"{STATEMENT_WITHIN:.0f}s",
        "idle_in_transaction_session_timeout": f"{IDLE_WITHIN:.0f}s",
    }
    with store.write() as first, store.read() as second:
        for tx in (first, second):
            assert {name: shown(tx, name) for name in wanted} == wanted


def test_only_a_lease_is_taken_without_waiting_for_the_disk_and_the_next_write_waits_again(
    store: Store,
) -> None:
    for durable, wanted in ((True, "on"), (False, "off"), (True, "on"), (False, "off"), (True, "on")):
        with store.write(durable=durable) as tx:
            assert shown(tx, "synchronous_commit") == wanted


def test_a_reader_sees_one_moment_however_long_it_reads_and_cannot_write(store: Store) -> None:
    keep(store, a_job("job_1"))
    with store.read() as tx:
        assert len(job_lists.recent(tx, limit=9)) == 1
        keep(store, a_job("job_2"))
        assert len(job_lists.recent(tx, limit=9)) == 1
    with pytest.raises(StoreError, match="read-only"), store.read() as tx:
        workers.join(tx, "w", host="here", pid=1)
    with store.write() as tx:
        workers.join(tx, "w", host="here", pid=1)
        assert len(job_lists.recent(tx, limit=9)) == 2


def test_a_process_that_freezes_between_two_rows_does_not_hold_what_it_wrote(store: Store) -> None:
    with pytest.raises(StoreError, match="connection is lost"):
        _write_two_rows_and_freeze_between_them(store)


def _write_two_rows_and_freeze_between_them(store: Store) -> None:
    def rows() -> Iterator[tuple[str]]:
        yield ("the first",)
        until("the server ended it", ended)
        yield ("the second",)

    def ended() -> bool:
        with store.read() as other:
            lives = text(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}")
            return not other.execute(lives).scalar_one()

    with store.write() as tx:
        tx.execute(text("SET LOCAL idle_in_transaction_session_timeout = 100"))
        pid = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
        driven = tx.connection.connection.driver_connection
        assert driven is not None
        with driven.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE held (name text)")
            cursor.executemany("INSERT INTO held VALUES (%s)", rows())


def test_columns_are_described_to_those_alone_who_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[int] = []

    def describe(cursor: psycopg.Cursor[Any], index: int) -> psycopg.Column:
        described.append(index)
        return psycopg.Column(cursor, index)

    monkeypatch.setattr("psycopg._cursor_base.Column", describe)
    keep(store, a_job("job_1"))
    described.clear()
    for _ in range(3):
        assert read(store, "job_1").id == "job_1"
        assert len(described) == len(set(described)), "SQLAlchemy knows the statement after the first time"
    with store.read() as tx, closing(tx.connection.connection.cursor()) as cursor:
        described.clear()
        cursor.execute("SELECT 1 AS one, 'a' AS two")
        assert described == []
        assert [one[0] for one in cursor.description] == ["one", "two"]
        cursor.execute("SET LOCAL application_name TO 'nobody'")
        assert cursor.description is None


def test_connections_that_ended_in_the_pool_are_replaced_without_a_word(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    this = text("SELECT pg_backend_pid()")
    with store.write() as tx, store.write() as another:
        ended = {one.execute(this).scalar_one() for one in (tx, another)}
    other = Store(store.url)
    with other.write() as tx:
        for pid in ended:
            assert tx.execute(text(f"SELECT pg_terminate_backend({pid}, 5000)")).scalar_one()
    other.close()
    with store.write() as tx, store.read() as another:
        assert not ended & {one.execute(this).scalar_one() for one in (tx, another)}
    assert caplog.messages == []


def test_guards_judge_a_row_as_it_is_now_though_the_server_would_have_it_otherwise(
    new_database: NewDatabase,
) -> None:
    url = new_database()
    first = Store(url)
    with first.write() as tx:
        name = tx.execute(text("SELECT current_database()")).scalar_one()
        tx.execute(text(f"ALTER DATABASE {name} SET default_transaction_isolation TO 'serializable'"))
    first.close()
    store = Store(url)
    for _ in range(2):  # the second time on a connection that was given back
        with store.write() as durable, store.write(durable=False) as lease, store.read() as reader:
            for tx in (durable, lease):
                assert shown(tx, "transaction_isolation") == "read committed"
            assert shown(reader, "transaction_isolation") == "repeatable read"
    store.close()


def lock_impatiently(store: Store) -> None:
    with store.write() as tx:
        tx.execute(text("SET LOCAL lock_timeout TO 30"))
        jobs.lock(tx, "job_1")


def test_whoever_waits_too_long_for_a_row_is_told_so(store: Store) -> None:
    keep(store, a_job())
    with store.write() as holder:
        jobs.lock(holder, "job_1")
        with pytest.raises(StoreError, match="lock timeout") as caught:
            lock_impatiently(store)
    assert "tried again" in caught.value.hint


def test_of_two_that_wait_for_each_other_one_is_let_go_and_the_other_told(store: Store) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    both_hold = threading.Barrier(2)
    ended: list[StoreError | None] = []

    def lock(first: str, second: str) -> None:
        try:
            with store.write() as tx:
                jobs.lock(tx, first)
                both_hold.wait(10)
                jobs.lock(tx, second)
            ended.append(None)
        except StoreError as error:
            ended.append(error)

    threads = [
        threading.Thread(target=lock, args=order) for order in (("job_1", "job_2"), ("job_2", "job_1"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    (error,) = (error for error in ended if error is not None)
    assert "deadlock" in error.message
    assert "tried again" in error.hint
    assert len(ended) == 2


def test_a_process_has_so_many_connections_and_no_more(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_FOR", 0.05)
    store = Store(new_database(), connections=2)
    with store.read(), store.write():
        with pytest.raises(StoreError, match="no database connection became free") as caught, store.read():
            pass
        assert "ORCHESTRATOR_DATABASE_CONNECTIONS" in caught.value.hint
    with store.read(), store.write():
        pass
    store.close()


def test_numbers_go_on_beyond_32_bits(store: Store) -> None:
    beyond = 2**31 + 7
    keep(store, a_job(state=State.COMPLETED))
    with store.write() as tx:
        for table in ("inbox", "rejections", "hand_offs"):
            tx.execute(text(f"ALTER SEQUENCE {table}_id_seq AS bigint RESTART WITH {beyond}"))
    owe(store, 0)
    assert remember(store) == (beyond, True)
    refused = {"account_id": "default", "reason": "forged", "detail": "", "headers": {}, "body": b""}
    with store.write() as tx:
        inbox.reject(tx, {**refused, "truncated": False}, keep=1)
        inbox.settle(tx, beyond, EntryState.APPLIED, "job_1")
        job = jobs.lock(tx, "job_1")
        seen = Observation(Source.WEBHOOK, Seen.COMPLETED, inbox_id=beyond)
        observations.append_all(tx, [(job, seen, Step(job.state, Verdict.KNOWN))])
    with store.read() as tx:
        assert [one.id for one in hand_offs.of_job(tx, "job_1")] == [beyond]
        assert [one.id for one in inbox.recent_rejections(tx, limit=9)] == [beyond]
        assert [one.inbox_id for one in observations.of_job(tx, "job_1")] == [beyond]


# a server that comes and goes


def write_across_a_restart(store: Store, server: PostgresServer) -> None:
    with store.write() as tx:
        jobs.add(tx, [a_job("job_lost")])
        server.restart("immediate")
        jobs.get(tx, "job_lost")


def test_what_was_not_committed_when_the_server_went_away_is_an_error_and_the_next_works(
    own_postgres: PostgresServer,
) -> None:
    store = Store(own_postgres.database())
    migrate(store)
    keep(store, a_job())
    with store.read(), store.read():
        pass  # so that several connections are in the pool when they all die
    with pytest.raises(StoreError) as caught:
        write_across_a_restart(store, own_postgres)
    assert "tried again" in caught.value.hint
    keep(store, a_job("job_2"))
    with store.read() as tx:
        assert {job.id for job in job_lists.recent(tx, limit=9)} == {"job_1", "job_2"}
    store.close()


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_server_that_is_away_is_an_error_that_says_so_and_its_return_needs_nothing(
    own_postgres: PostgresServer, how: str
) -> None:
    store = Store(own_postgres.database())
    migrate(store)
    if how == "stopped":
        own_postgres.stop()
    else:
        own_postgres.kill()
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            keep(store, a_job())
        # The first one may still meet a connection that broke in the middle of something.
        assert re.search("start PostgreSQL|the database server went away", caught.value.hint)
        assert caught.value.retry.again
    assert "start PostgreSQL" in caught.value.hint
    own_postgres.start()
    keep(store, a_job())
    assert read(store).id == "job_1"
    store.close()


def test_a_database_that_is_not_there_is_an_error_of_ours(store: Store) -> None:
    lost = Store(store.engine.url.set(database="nowhere").render_as_string(hide_password=False))
    with pytest.raises(StoreError, match="does not exist"), lost.read():
        pass
    lost.close()
