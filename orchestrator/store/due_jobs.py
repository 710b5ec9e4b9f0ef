"""Jobs that are due for a create or a look, and their leases: claimed, worked on, and given back."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Float, Integer, and_, bindparam, case, func, literal_column, or_, select, update

from orchestrator.core.job import Job
from orchestrator.store import due
from orchestrator.store.database import Transaction
from orchestrator.store.due import Turns, Waiting, moment, unleased
from orchestrator.store.given import given_rows
from orchestrator.store.jobs import read_row
from orchestrator.store.schema import CREATES_DUE, DEADLINES, LOOKS_DUE, jobs, tenants

# Creates of a tenant that is held wait, however long they are due.
_NOT_HELD = or_(tenants.c.held_until.is_(None), tenants.c.held_until <= bindparam("held_before", type_=Float))
CREATES = Waiting("create", jobs, CREATES_DUE, served=_NOT_HELD)
LOOKS = Waiting("look", jobs, LOOKS_DUE)  # settled jobs are due only while a detail is missing

_FREE = select(jobs).where(unleased(jobs.c)).limit(bindparam("most", type_=Integer))
# Spelled out, since SQLite uses the partial index only for a condition it can read.
_ABANDONED = _FREE.where(jobs.c.state == literal_column("'creating'")).order_by(jobs.c.id)
_OVERDUE = _FREE.where(DEADLINES, jobs.c.deadline_at <= bindparam("now")).order_by(jobs.c.deadline_at)

_OURS = (jobs.c.id, jobs.c.fence, jobs.c.leased_by)  # a lease, as whoever has it knows it

PUT_OFF_AT_ONCE = 1_000  # jobs that one statement puts off at most
PUT_OFF_EARLY = 0.1  # seconds before the moment told that the longest waiting is due again, at most
# Not by when they are due: put off again and again, all would come to be due at once, in no order.
_EARLY = (bindparam("now", type_=Float) - jobs.c.accepted_at) / 1e6
_ALL_DUE = (
    select(jobs.c.id)
    .where(CREATES_DUE, jobs.c.tenant_id == bindparam("tenant"), jobs.c.due_at <= bindparam("now"))
    .where(jobs.c.account_id == bindparam("account"), unleased(jobs.c), jobs.c.cancel_requested_at.is_(None))
    .order_by(jobs.c.due_at)
    .limit(PUT_OFF_AT_ONCE)
    .with_for_update(skip_locked=True, key_share=True)
    .cte("all_due")
)
_PUT_OFF = (
    update(jobs)
    .where(jobs.c.id.in_(select(_ALL_DUE.c.id)))
    .values(
        due_at=bindparam("until", type_=Float) - case((_EARLY < PUT_OFF_EARLY, _EARLY), else_=PUT_OFF_EARLY)
    )
)


def claim(
    tx: Transaction,
    waiting: Waiting,
    *,
    worker: str,
    limit: int,
    lease: float,
    turns: Turns | None = None,
) -> list[Job]:
    """Lease up to `limit` jobs that wait for this kind of work, in turn over the tenants (see `due`)."""
    given = {"held_before": tx.now}
    rows = due.claim(tx, waiting, turns or Turns(), worker=worker, limit=limit, lease=lease, given=given)
    return [read_row(row) for row in rows]


def note_looks(tx: Transaction, looks: Sequence[Mapping[str, Any]]) -> set[str]:
    """Count looks that changed nothing, all in one statement; an old lease's is refused.

    Returns the jobs of which it was counted; they are held from then on.

    Each mapping has `id`, `fence`, `leased_by`, `look_errors`, `look_error`, `poll_after`, `due_at`,
    `progress` and `seen_running_at`; `looks` is how many requests it took, one unless it is said.
    """
    if not looks:
        return set()
    told = (
        jobs.c.look_errors,
        jobs.c.look_error,
        jobs.c.poll_after,
        jobs.c.due_at,
        jobs.c.progress,
        jobs.c.seen_running_at,
    )
    rows = given_rows(tx, (*_OURS, jobs.c.looks, *told), "noted")
    statement = (
        update(jobs)
        .where(*(one == rows.c[one.name] for one in _OURS))
        .values(looks=jobs.c.looks + func.coalesce(rows.c.looks, 1), last_look_at=tx.now)
        .values(leased_by=None, lease_until=None)
        .values({one.name: rows.c[one.name] for one in told})
    )
    given = {"noted": json.dumps(list(looks), ensure_ascii=False)}
    return {row.id for row in tx.execute(statement.returning(jobs.c.id), given)}


def put_off_looks(tx: Transaction, looks: Sequence[Mapping[str, Any]]) -> None:
    """Give claimed jobs back without having asked, all in one statement; an old lease's is refused.

    Each mapping has `id`, `fence`, `leased_by` and the `due_at` to come.
    """
    if looks:
        rows = given_rows(tx, (*_OURS, jobs.c.due_at), "noted")
        these = update(jobs).where(*(one == rows.c[one.name] for one in _OURS))
        put_off = these.values(due_at=rows.c.due_at, leased_by=None, lease_until=None)
        tx.execute(put_off, {"noted": json.dumps(list(looks))})


def count_looks(tx: Transaction, job_ids: Collection[str]) -> None:
    """Count a look at each of these, whoever holds them now and whatever became of them."""
    if job_ids:
        tx.execute(update(jobs).where(jobs.c.id.in_(job_ids)).values(looks=jobs.c.looks + 1))


def release_if_ours(tx: Transaction, job: Job, changes: Mapping[str, Any]) -> bool:
    """Give a claimed job back and write what the claim was for, unless the lease is not ours any more."""
    guard = and_(jobs.c.id == job.id, jobs.c.fence == job.fence, jobs.c.leased_by == job.leased_by)
    values = {"leased_by": None, "lease_until": None, **changes}
    return tx.execute(update(jobs).where(guard).values(**values)).rowcount == 1


def put_off_creates(tx: Transaction, like: Job, *, until: float) -> int:
    """Let accepted jobs that are due and that nobody holds be due then, in the order of their acceptance.

    Those of this one's tenant and account, `PUT_OFF_AT_ONCE` at most, and none that is to be cancelled.
    Returns how many.
    """
    whose = {"tenant": like.tenant_id, "account": like.account_id}
    return tx.execute(_PUT_OFF, moment(tx) | whose | {"until": until}).rowcount


def abandoned_creates(tx: Transaction, *, limit: int) -> list[Job]:
    """Jobs whose create call lost its worker: nobody knows any more whether it was sent."""
    return [read_row(row) for row in tx.execute(_ABANDONED, moment(tx) | {"most": limit})]


def overdue_creates(tx: Transaction, *, limit: int) -> list[Job]:
    """Accepted jobs that nobody is creating and whose deadline has passed, the longest ago first."""
    return [read_row(row) for row in tx.execute(_OVERDUE, moment(tx) | {"most": limit})]


def moments(tx: Transaction, waiting: Waiting, *, until: float, limit: int) -> list[float]:
    """When the next jobs are due for this kind of work, soonest first, whoever may do it."""
    return due.moments(tx, waiting, until=until, limit=limit, given={"held_before": tx.now})


def since(tx: Transaction, waiting: Waiting, *, held_within: float) -> float | None:
    """Since when the longest due job waits for a worker, or None; held creates do not wait for one.

    Nor do those of a tenant that was held in the last `held_within` seconds: they were due all the while.
    """
    return due.oldest(tx, waiting, given={"held_before": tx.now - held_within})


def count(tx: Transaction, waiting: Waiting, *, held_within: float, most: int) -> int:
    """How many jobs are due and wait for a worker, as `since` has it; `most` of each tenant at most."""
    return due.count(tx, waiting, most=most, given={"held_before": tx.now - held_within})
