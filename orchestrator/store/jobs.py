"""Jobs: one row each, moved only by guarded updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from orchestrator.core.job import Blame, HandOffState, Job, Source, Updates, job_of_session
from orchestrator.core.lifecycle import OPEN, Seen, State
from orchestrator.errors import NotFound
from orchestrator.store.database import WORKER_DEAD_AFTER, Transaction
from orchestrator.store.schema import hand_offs, jobs, workers

# The states in which a due job wants a look. Settled ones are due only while a detail is missing.
LOOKED_AT = tuple(state for state in State if state not in (State.ACCEPTED, State.CREATING))


def add(tx: Transaction, new: Sequence[Job]) -> None:
    """Keep new jobs."""
    if new:
        tx.execute(insert(jobs), [_row(job) for job in new])


def get(tx: Transaction, job_id: str) -> Job | None:
    """One job by our id."""
    return _one(tx, jobs.c.id == job_id)


def require(tx: Transaction, job_id: str) -> Job:
    """One job by our id. Raises NotFound."""
    return _found(get(tx, job_id), job_id)


def lock(tx: Transaction, job_id: str) -> Job:
    """One job, held until the transaction ends, so that counters are not counted past each other.

    Raises NotFound.
    """
    row = tx.execute(select(jobs).where(jobs.c.id == job_id).with_for_update()).first()
    return _found(_job(row) if row else None, job_id)


def _found(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise NotFound(f"there is no job {job_id}", hint="`orchestrator jobs` lists them")
    return job


def by_gateway_id(tx: Transaction, account_id: str, gateway_id: str) -> Job | None:
    """The account's job that the gateway knows by this id."""
    return _one(tx, jobs.c.account_id == account_id, jobs.c.gateway_id == gateway_id)


def by_session(tx: Transaction, account_id: str, session_id: str) -> Job | None:
    """The account's job that a create attempt was made for, be it the latest attempt or an earlier one."""
    return _one(tx, jobs.c.account_id == account_id, jobs.c.id == job_of_session(session_id))


def matching(tx: Transaction, tenant_id: str, name: str, *, limit: int) -> list[Job]:
    """The tenant's jobs that a person may mean: by our id or its beginning, the gateway's, or a reference."""
    means = or_(
        jobs.c.id.startswith(name, autoescape=True), jobs.c.gateway_id == name, jobs.c.reference == name
    )
    query = select(jobs).where(jobs.c.tenant_id == tenant_id, means).order_by(jobs.c.accepted_at.desc())
    return _many(tx, query.limit(limit))


def unfinished(tx: Transaction, *, limit: int) -> list[Job]:
    """Jobs that are not settled, lack a detail or have something owed, oldest first."""
    owed = exists().where(hand_offs.c.job_id == jobs.c.id, hand_offs.c.state == HandOffState.OWED)
    going = or_(jobs.c.state.in_(OPEN), jobs.c.detail_tries > 0, owed)
    return _many(tx, select(jobs).where(going).order_by(jobs.c.accepted_at, jobs.c.id).limit(limit))


def recent(tx: Transaction, *, limit: int, states: Iterable[State] | None = None) -> list[Job]:
    """The newest jobs, newest first."""
    query = select(jobs).order_by(jobs.c.accepted_at.desc(), jobs.c.id.desc()).limit(limit)
    return _many(tx, query if states is None else query.where(jobs.c.state.in_(list(states))))


def counts(tx: Transaction) -> dict[State, int]:
    """How many jobs stand in each state."""
    rows = tx.execute(select(jobs.c.state, func.count().label("many")).group_by(jobs.c.state))
    return {State(row.state): row.many for row in rows}


def known_gateway_ids(tx: Transaction, account_id: str, gateway_ids: Sequence[str]) -> set[str]:
    """Which of these gateway ids belong to a job of ours."""
    query = select(jobs.c.gateway_id).where(
        jobs.c.account_id == account_id, jobs.c.gateway_id.in_(gateway_ids)
    )
    return {row.gateway_id for row in tx.execute(query)}


def existing(tx: Transaction, job_ids: Sequence[str]) -> set[str]:
    """Which of these are ids of jobs of ours."""
    return {row.id for row in tx.execute(select(jobs.c.id).where(jobs.c.id.in_(job_ids)))}


def move_if_still(tx: Transaction, job: Job, changes: Mapping[str, Any]) -> bool:
    """Change the job unless somebody changed it since it was read; False means: read and decide again."""
    guard = and_(jobs.c.id == job.id, jobs.c.state == job.state, jobs.c.next_seq == job.next_seq)
    return tx.execute(update(jobs).where(guard).values(**_plain(changes))).rowcount == 1


def claim_due(
    tx: Transaction, states: Sequence[State], *, worker: str, limit: int, lease: float
) -> list[Job]:
    """Lease up to `limit` due jobs in these states for `lease` seconds, the longest due first."""
    due = and_(jobs.c.state.in_(states), jobs.c.due_at <= tx.now, unleased(tx, jobs.c))
    chosen = select(jobs.c.id).where(due).order_by(jobs.c.due_at).limit(limit)
    claim = (
        update(jobs)
        .where(jobs.c.id.in_(chosen.with_for_update(skip_locked=True).scalar_subquery()))
        .values(leased_by=worker, lease_until=tx.now + lease, fence=jobs.c.fence + 1)
        .returning(*jobs.c)
    )
    return [_job(row) for row in tx.execute(claim)]


def note_looks(tx: Transaction, looks: Sequence[Mapping[str, Any]]) -> None:
    """Count looks that changed nothing, one prepared statement for all; an old lease's is refused.

    Each mapping has `id`, `fence`, `look_errors`, `look_error`, `poll_after`, `due_at` and `progress`.
    """
    if not looks:
        return
    told = ("look_errors", "look_error", "poll_after", "due_at", "progress")
    statement = (
        update(jobs)
        .where(jobs.c.id == bindparam("b_id"), jobs.c.fence == bindparam("b_fence"))
        .values(looks=jobs.c.looks + 1, last_look_at=tx.now, leased_by=None, lease_until=None)
        .values({name: bindparam(f"b_{name}") for name in told})
    )
    tx.connection.execute(statement, [{f"b_{name}": value for name, value in look.items()} for look in looks])


def release_if_ours(tx: Transaction, job: Job, changes: Mapping[str, Any]) -> bool:
    """Give a claimed job back and write what the claim was for, unless the lease is not ours any more."""
    guard = and_(jobs.c.id == job.id, jobs.c.fence == job.fence)
    values = {"leased_by": None, "lease_until": None, **changes}
    return tx.execute(update(jobs).where(guard).values(**values)).rowcount == 1


def note(tx: Transaction, job_id: str, facts: Mapping[str, Any]) -> None:
    """Write facts that no decision hangs on, whoever holds the job."""
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(**facts))


def abandoned_creates(tx: Transaction, *, limit: int) -> list[Job]:
    """Jobs whose create call lost its worker: nobody knows any more whether it was sent."""
    # Spelled out, since SQLite uses the partial index only for a condition it can read.
    creating = jobs.c.state == literal_column("'creating'")
    return _many(tx, select(jobs).where(creating, unleased(tx, jobs.c)).limit(limit))


def due_moments(tx: Transaction, states: Sequence[State], *, until: float, limit: int) -> list[float]:
    """When the next jobs in these states are due, soonest first, whoever may do them."""
    query = select(jobs.c.due_at).where(
        jobs.c.state.in_(states), jobs.c.due_at <= until, unleased(tx, jobs.c)
    )
    return [row.due_at for row in tx.execute(query.order_by(jobs.c.due_at).limit(limit))]


def unleased(tx: Transaction, columns: Any) -> ColumnElement[bool]:
    """True for a row that nobody holds: no lease, one that ran out, or one of a dead worker."""
    alive = select(workers.c.id).where(workers.c.beaten_at > tx.now - WORKER_DEAD_AFTER)
    return or_(
        columns.leased_by.is_(None),
        columns.lease_until <= tx.now,
        not_(columns.leased_by.in_(alive.scalar_subquery())),
    )


def _one(tx: Transaction, *where: ColumnElement[bool]) -> Job | None:
    row = tx.execute(select(jobs).where(*where)).first()
    return _job(row) if row else None


def _many(tx: Transaction, query: Any) -> list[Job]:
    return [_job(row) for row in tx.execute(query)]


def _job(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    values["state"] = State(values["state"])
    values["updates"] = Updates(values["updates"])
    values["destinations"] = tuple(values["destinations"])
    values["blame"] = values["blame"] and Blame(values["blame"])
    values["won_by"] = values["won_by"] and Source(values["won_by"])
    values["suspicion"] = values["suspicion"] and Seen(values["suspicion"])
    return Job(**values)


def _row(job: Job) -> dict[str, Any]:
    return asdict(job) | {"destinations": list(job.destinations)}


def _plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()}
