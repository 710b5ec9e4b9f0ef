"""Events: none is skipped by whoever reads on from a point, however late it was committed."""

import threading
from typing import Any

import pytest
from sqlalchemy import event, text

from orchestrator.core.events import Told
from orchestrator.core.lifecycle import State
from orchestrator.store import events, jobs, schema
from orchestrator.store.database import Store, Transaction
from orchestrator.store.events import OTHER_SERVER, START, Entry, Position
from tests.integration.store.rows import Clock, a_job, keep
from tests.integration.store.together import Elsewhere, undone

on_postgresql = pytest.mark.parametrize("kind", ["postgresql"])  # SQLite has one writer: nothing is late


def tell(tx: Transaction, job_id: str, **data: object) -> None:
    events.append(tx, jobs.lock(tx, job_id), Told.PROGRESS, data)


def names(found: list[Entry]) -> list[tuple[str, int]]:
    return [(one.job_id, one.seq) for one in found]


def of_tenant(store: Store, after: Position = START, **more: str) -> list[Entry]:
    with store.read() as tx:
        return events.of_tenant(tx, "default", after=after, limit=100, **more)


def test_a_job_s_events_are_numbered_from_one_and_read_on_from_any_of_them(store: Store) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    for progress in range(3):
        with store.write() as tx:
            tell(tx, "job_1", progress=progress)
            tell(tx, "job_2")
    with store.read() as tx:
        assert names(events.of_job(tx, "job_1", limit=9)) == [("job_1", 1), ("job_1", 2), ("job_1", 3)]
        rest = events.of_job(tx, "job_1", after=1, limit=1)
    assert [one.data for one in rest] == [{"progress": 1}]
    assert rest[0].settled


def test_a_tenant_s_events_are_read_on_from_any_of_them_and_only_that_tenant_s(
    store: Store,
) -> None:
    with store.write() as tx:
        tx.execute(schema.tenants.insert().values(id="other", name="o"))
        tx.execute(schema.accounts.insert().values(id="other", tenant_id="other", name="o"))
    keep(
        store,
        a_job("job_1", end_user="u"),
        a_job("job_2"),
        a_job("job_3", tenant_id="other", account_id="other", end_user="u"),
    )
    for _ in range(2):
        for job in ("job_1", "job_2", "job_3"):
            with store.write() as tx:
                tell(tx, job)
    everything = of_tenant(store)
    assert names(everything) == [("job_1", 1), ("job_2", 1), ("job_1", 2), ("job_2", 2)]
    for number, one in enumerate(everything):
        assert of_tenant(store, one.position) == everything[number + 1 :]
    assert names(of_tenant(store, end_user="u")) == [("job_1", 1), ("job_1", 2)]
    with store.read() as tx:
        after_now = events.now(tx)
        assert len(events.news(tx, after=START, limit=9)) == 6
        assert events.news(tx, after=after_now, limit=9) == []
    with store.write() as tx:
        tell(tx, "job_1")
    assert names(of_tenant(store, after_now)) == [("job_1", 3)]


@on_postgresql
def test_what_commits_late_is_not_skipped(store: Store, elsewhere: Elsewhere) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    begun, may_end = threading.Event(), threading.Event()

    def slowly() -> None:
        with store.write() as tx:
            tell(tx, "job_1")
            begun.set()
            assert may_end.wait(20)

    slow = elsewhere.begin(slowly)
    assert begun.wait(20)
    with store.write() as tx:
        tell(tx, "job_2")
    assert of_tenant(store) == [], "it would be behind what is still to come"
    with store.read() as tx:
        assert [one.settled for one in events.news(tx, after=START, limit=9)] == [False]
        assert names(events.of_job(tx, "job_2", limit=9)) == [("job_2", 1)], "of one job nothing is held back"
    may_end.set()
    slow.result(timeout=20)
    assert names(of_tenant(store)) == [("job_1", 1), ("job_2", 1)]


@on_postgresql
def test_of_one_job_the_order_is_that_of_its_numbers_whichever_transaction_began_first(
    store: Store, elsewhere: Elsewhere
) -> None:
    keep(store, a_job("job_1"), a_job("job_2"))
    begun, may_go_on = threading.Event(), threading.Event()

    def first_to_begin() -> None:
        with store.write() as tx:
            tell(tx, "job_2")  # its number is given here
            begun.set()
            assert may_go_on.wait(20)
            tell(tx, "job_1")

    slow = elsewhere.begin(first_to_begin)
    assert begun.wait(20)
    with store.write() as tx:
        tell(tx, "job_1")
    may_go_on.set()
    slow.result(timeout=20)
    assert names(of_tenant(store)) == [("job_2", 1), ("job_1", 1), ("job_1", 2)]


def test_events_of_a_restored_database_come_before_all_new_ones(kind: str, store: Store) -> None:
    keep(store, a_job("job_1"))
    with store.write() as tx:
        tell(tx, "job_1")
        tell(tx, "job_1")
    kept = of_tenant(store)
    if kind == "sqlite":
        with store.write() as tx:
            assert events.take_over(tx) == 0
            assert events.known(tx, kept[0].position) == kept[0].position
        return
    ahead = 10**12
    with store.write() as tx:  # as another server with more transactions behind it had numbered them
        tx.execute(text(f"UPDATE events SET position = position + {ahead}"))
    cursor = kept[0].position._replace(transaction=kept[0].position.transaction + ahead)
    with store.write() as tx:
        assert events.take_over(tx) == 2
        assert events.take_over(tx) == 0
    with store.write() as tx:
        tell(tx, "job_1")
    with store.read() as tx:
        cursor = events.known(tx, cursor)
    assert cursor.transaction < 0
    assert cursor.transaction > -OTHER_SERVER
    assert names(of_tenant(store, cursor)) == [("job_1", 2), ("job_1", 3)]


def test_whoever_follows_is_woken_after_the_commit_and_only_then(store: Store) -> None:
    rung: list[bool] = []
    store.ring = lambda: rung.append(bool(of_tenant(store)))
    keep(store, a_job("job_1"))
    with store.write() as tx:
        tell(tx, "job_1")
        assert not rung
    assert rung == [True]
    with undone(store) as tx:
        tell(tx, "job_1")
    assert rung == [True]


def test_old_events_of_settled_jobs_are_forgotten_but_for_the_last_which_the_next_counts_on_from(
    store: Store,
) -> None:
    keep(store, a_job("job_1", State.COMPLETED, settled_at=1.0), a_job("job_2"))
    for job in ("job_1", "job_2") * 3:
        with store.write() as tx:
            tell(tx, job)
    with store.write() as tx:
        assert events.prune(tx, before=tx.now) == 0, "the first is not older"
        assert events.prune(tx, before=tx.now + 1) == 2
        assert events.prune(tx, before=tx.now + 1) == 0
        tell(tx, "job_1")
    with store.read() as tx:
        assert names(events.of_job(tx, "job_1", limit=9)) == [("job_1", 3), ("job_1", 4)]
        assert len(events.of_job(tx, "job_2", limit=9)) == 3


def test_what_is_told_after_a_purge_of_everything_comes_after_what_was_told_before(
    store: Store, clock: Clock
) -> None:
    keep(store, a_job("job_1"))
    for _ in range(3):
        with store.write() as tx:
            tell(tx, "job_1")
    known = of_tenant(store)[-1].position
    with store.write() as tx:
        tx.execute(schema.jobs.delete())
    clock.now += 0.001
    keep(store, a_job("job_2"))
    with store.write() as tx:
        tell(tx, "job_2")
    assert names(of_tenant(store, known)) == [("job_2", 1)]


def test_several_events_are_written_together_each_under_its_job_s_next_number(store: Store) -> None:
    rung: list[bool] = []
    store.ring = lambda: rung.append(True)
    new = [a_job("job_1"), a_job("job_2", end_user="u")]
    with store.write() as tx:
        jobs.add(tx, new)
        events.append_first(tx, new)
        assert rung == [], "only what is committed is told"
    with store.write() as tx:
        held = [jobs.lock(tx, job.id) for job in new]
        moved = (held[0], Told.STATE, {"state": "waiting"})
        events.append_all(tx, [moved, (held[0], Told.PROGRESS, {"progress": 5}), (held[1], Told.CANCEL, {})])
        events.append_all(tx, [])
    assert rung == [True, True], "once for each transaction"
    with store.read() as tx:
        first, second = events.of_job(tx, "job_1", limit=9), events.of_job(tx, "job_2", limit=9)
    assert [(one.seq, one.type, one.data) for one in first] == [
        (1, Told.ACCEPTED, {}),
        (2, Told.STATE, {"state": "waiting"}),
        (3, Told.PROGRESS, {"progress": 5}),
    ]
    assert [(one.seq, one.type, one.end_user) for one in second] == [
        (1, Told.ACCEPTED, "u"),
        (2, Told.CANCEL, "u"),
    ]
    positions = [one.position for one in first]
    assert positions == sorted(positions)


def test_what_was_forgotten_already_is_not_looked_at_again(store: Store) -> None:
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("DELETE FROM events"):
            how = "QUERY PLAN " if connection.dialect.name == "sqlite" else ""
            cursor.execute(f"EXPLAIN {how}{statement}", parameters)
            plans.append("\n".join(str(row[-1]) for row in cursor.fetchall()))

    event.listen(store.engine, "before_cursor_execute", explain)
    with store.write() as tx:
        if tx.connection.dialect.name == "postgresql":
            tx.execute(text("SET LOCAL enable_seqscan TO off"))  # it reads small tables whole
        events.prune(tx, before=tx.now)
    assert "ix_events_first" in plans[0], plans[0]
