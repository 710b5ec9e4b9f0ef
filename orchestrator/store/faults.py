"""Faults that jobs met on their way: one row for a job and a fault, and how often each was met.

How a job ended is in its own row. Whoever notes a fault holds the job.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, cast, delete, func, select

from orchestrator import metrics
from orchestrator.core.blame import OF_ENDS, Counted, Fault, Met
from orchestrator.core.job import Job
from orchestrator.store.database import Transaction
from orchestrator.store.schema import faults, jobs

LONGEST_EVIDENCE = 1_000  # characters


@dataclass(frozen=True, slots=True)
class Noted:
    """A fault as it was kept: first at `at`, most lately at `last_at`, which is what the evidence is of."""

    fault: Fault
    at: float
    last_at: float
    times: int
    evidence: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Whose:
    """A fault that a job met."""

    job_id: str
    tenant_id: str
    met: Met


def note(tx: Transaction, job: Job, met: Met) -> None:
    """Keep that a job met a fault, with the latest evidence."""
    note_all(tx, [Whose(job.id, job.tenant_id, met)])


def note_all(tx: Transaction, met: Sequence[Whose]) -> None:
    """The same of several jobs, each with one fault at most, in one statement."""
    if not met:
        return
    rows = [
        {
            "job_id": one.job_id,
            "fault": one.met.fault,
            "tenant_id": one.tenant_id,
            "at": tx.now,
            "last_at": tx.now,
            "times": 1,
            "evidence": one.met.evidence[:LONGEST_EVIDENCE],
            "request_id": one.met.request_id,
        }
        for one in met
    ]
    statement = tx.insert(faults).values(rows)
    new = statement.excluded
    # Evidence that says nothing of a request leaves the id of one that an earlier one had.
    again = {
        "last_at": new.last_at,
        "times": faults.c.times + 1,
        "evidence": new.evidence,
        "request_id": func.coalesce(new.request_id, faults.c.request_id),
    }
    tx.execute(statement.on_conflict_do_update(index_elements=["job_id", "fault"], set_=again))
    tx.after_commit.append(lambda: _count(met))


def _count(met: Sequence[Whose]) -> None:
    for one in met:
        metrics.FAULTS.labels(one.met.fault).inc()


def withdraw(tx: Transaction, job_id: str, fault: Fault) -> None:
    """It was none after all."""
    tx.execute(delete(faults).where(faults.c.job_id == job_id, faults.c.fault == fault))


def with_any(tx: Transaction, job_ids: Collection[str], which: Collection[Fault]) -> set[str]:
    """Which of these jobs met one of these faults."""
    met = (faults.c.job_id.in_(job_ids), faults.c.fault.in_(which))
    return {row.job_id for row in tx.execute(select(faults.c.job_id).where(*met))}


def of_job(tx: Transaction, job_id: str) -> list[Noted]:
    """What a job met, in the order in which it was met first."""
    columns = [faults.c[name] for name in Noted.__slots__]
    query = select(*columns).where(faults.c.job_id == job_id).order_by(faults.c.at, faults.c.fault)
    return [Noted(**dict(row._mapping) | {"fault": Fault(row.fault)}) for row in tx.execute(query)]


def counted(tx: Transaction, tenant_id: str | None, *, since: float, every: int) -> list[Counted]:
    """How many jobs met each fault, or ended with that blame, by spans of so many seconds.

    Spans begin at whole multiples of `every` since the epoch, so that of a day at midnight in UTC. None: of
    all tenants.
    """
    found = [*_ended(tx, tenant_id, since, every), *_met(tx, tenant_id, since, every)]
    return sorted(found, key=lambda one: (one.begins, one.fault))


def recent(tx: Transaction, fault: Fault, *, since: float, most: int) -> int:
    """How many jobs met this fault since then for the first time; no more are counted than `most`."""
    some = select(faults.c.job_id).where(faults.c.fault == fault, faults.c.at >= since).limit(most)
    count: int = tx.execute(select(func.count()).select_from(some.subquery())).scalar_one()
    return count


def _ended(tx: Transaction, tenant_id: str | None, since: float, every: int) -> list[Counted]:
    where: list[ColumnElement[bool]] = [
        jobs.c.blame.is_not(None),
        jobs.c.state_since >= since,
        jobs.c.blame.in_(sorted(OF_ENDS)),
    ]
    where += [] if tenant_id is None else [jobs.c.tenant_id == tenant_id]
    return _by_span(tx, jobs.c.blame, jobs.c.state_since, where, every)


def _met(tx: Transaction, tenant_id: str | None, since: float, every: int) -> list[Counted]:
    where = [faults.c.fault.in_(sorted(set(Fault) - OF_ENDS)), faults.c.at >= since]
    where += [] if tenant_id is None else [faults.c.tenant_id == tenant_id]
    return _by_span(tx, faults.c.fault, faults.c.at, where, every)


def _by_span(
    tx: Transaction,
    fault: ColumnElement[str],
    at: ColumnElement[float],
    where: Sequence[ColumnElement[bool]],
    every: int,
) -> list[Counted]:
    # In whole seconds, which PostgreSQL rounds: not every SQLite has a floor.
    span = (cast(at, BigInteger) // every).label("span")
    query = select(fault.label("fault"), span, func.count().label("many")).where(*where)
    rows = tx.execute(query.group_by(fault, "span"))
    return [Counted(Fault(row.fault), float(row.span * every), row.many) for row in rows]
