"""A hundred thousand due jobs of one tenant: each other tenant's work is the next but one, of every kind."""

from typing import Any

import pytest
from sqlalchemy import insert, text

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.store import due_jobs, hand_offs, schema
from orchestrator.store.database import Store, Transaction
from orchestrator.store.due import Turns
from tests.integration.store.rows import START, a_job, join, keep, owe_outcome

ACCEPTED, WAITING = 100_000, 10_000


def multiply(tx: Transaction, table: str, like: str, told: dict[str, str], many: int) -> None:
    """So many rows like the one of this condition, different in what is told: expressions of a number `n`."""
    copied = ", ".join(one.name for one in schema.metadata.tables[table].columns if one.name not in told)
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {many}) "
    into = f"INSERT INTO {table} ({copied}, {', '.join(told)}) "
    selected = f"SELECT {copied}, {', '.join(told.values())} FROM {table}, numbers WHERE {like}"
    # PostgreSQL takes the numbers before INSERT, SQLite in both places.
    tx.execute(text(numbers + into + selected))


def a_backlog(store: Store, like: Job, many: int) -> None:
    keep(store, like)
    told = {"id": "id || '_' || n", "session_id": "session_id || '_' || n", "gateway_id": "NULL"}
    with store.write() as tx:
        multiply(tx, "jobs", f"id = '{like.id}'", told, many)


@pytest.fixture
def crowded(store: Store) -> Store:
    """One where much of the tenant `a` is due for long, and one of each kind of the tenant `b` just now."""
    names = [{"id": name, "name": name} for name in ("a", "b")]
    with store.write() as tx:
        tx.execute(insert(schema.tenants), names)
        tx.execute(insert(schema.accounts), [one | {"tenant_id": one["id"]} for one in names])
    old = {"tenant_id": "a", "account_id": "a", "due_at": START - 3_600}
    a_backlog(store, a_job("a_create", State.ACCEPTED, **old), ACCEPTED)
    a_backlog(store, a_job("a_look", State.WAITING, **old), WAITING)
    new = {"tenant_id": "b", "account_id": "b"}
    keep(store, a_job("b_create", State.ACCEPTED, **new), a_job("b_look", State.WAITING, **new))
    with store.write() as tx:
        owe_outcome(tx, "a_look", "x")
        told = {"id": f"{WAITING} + n", "key": "key || '_' || n", "due_at": "due_at - 3600"}
        multiply(tx, "hand_offs", "job_id = 'a_look'", told, WAITING)
        owe_outcome(tx, "b_look", "x")
    return store


def claimed(store: Store, kind: str, worker: str, turns: Turns) -> str:
    with store.write() as tx:
        if kind == "hand-offs":
            owed = hand_offs.claim_due(tx, worker=worker, lease=60, turns=turns)
            return owed.tenant_id if owed else ""
        wanted = due_jobs.CREATES if kind == "creates" else due_jobs.LOOKS
        (job,) = due_jobs.claim(tx, wanted, worker=worker, limit=1, lease=60, turns=turns)
        return job.tenant_id


def test_another_tenants_work_is_claimed_next_whatever_kind_it_is_and_whoever_claims(crowded: Store) -> None:
    join(crowded, "w0", "w1", "w2")
    turns = Turns()
    for kind in ("creates", "looks", "hand-offs"):
        assert [claimed(crowded, kind, "w0", turns) for _ in range(3)] == ["a", "b", "a"], kind
    for worker in ("w1", "w2"):  # each has turns of its own
        new: dict[str, Any] = {"tenant_id": "b", "account_id": "b"}
        keep(crowded, a_job(f"b_{worker}", State.ACCEPTED, **new), a_job(f"b_look_{worker}", **new))
        turns = Turns()
        assert [claimed(crowded, "creates", worker, turns) for _ in range(2)] == ["a", "b"]
    with crowded.write() as tx:
        batch = due_jobs.claim(tx, due_jobs.LOOKS, worker="w0", limit=200, lease=60, turns=Turns())
    assert len(batch) == 200
    assert {job.id for job in batch if job.tenant_id == "b"} == {"b_look_w1", "b_look_w2"}
