"""Jobs: one row each, moved only by guarded updates."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Float,
    Integer,
    Row,
    Select,
    String,
    Update,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    update,
)

from orchestrator.core.blame import Fault
from orchestrator.core.job import Job, Source, Updates, job_of_session
from orchestrator.core.lifecycle import Seen, State
from orchestrator.core.routes import read_route
from orchestrator.errors import NotFound
from orchestrator.store import due, lanes
from orchestrator.store.database import Transaction
from orchestrator.store.due import Turns, Waiting, moment, unleased
from orchestrator.store.given import add_rows, as_one, changing, given_rows
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

# One array, whatever their number: the statement stays the same, and is planned once.
_HOLD = (
    select(jobs.c.id)
    .where(jobs.c.id == func.any(bindparam("these", type_=ARRAY(String))))
    .order_by(jobs.c.id)
    .with_for_update(key_share=True)
)

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
_GET = select(jobs).where(jobs.c.id == bindparam("this", type_=String))
_GET_ALL = select(jobs).where(jobs.c.id.in_(bindparam("these", expanding=True)))
_HOLD_FREE = _GET_ALL.order_by(jobs.c.id).with_for_update(skip_locked=True, key_share=True)
_GET_OF_GATEWAY = select(jobs).where(
    jobs.c.account_id == bindparam("of_account", type_=String),
    jobs.c.gateway_id == bindparam("there", type_=String),
)
_LOCK_OF_GATEWAY = _GET_OF_GATEWAY.with_for_update(key_share=True)
_LOCK = _GET.with_for_update(key_share=True)  # not its key: rows that refer to it can be written meanwhile


def add(tx: Transaction, new: Sequence[Job]) -> None:
    """Keep new jobs."""
    lanes.open_for(tx, new)
    add_rows(tx, jobs, [_row(job) for job in new])


def get(tx: Transaction, job_id: str) -> Job | None:
    """One job by our id."""
    return _first(tx, _GET, job_id)


def get_all(tx: Transaction, job_ids: Collection[str]) -> dict[str, Job]:
    """Those of these jobs that there are, by their ids."""
    if not job_ids:
        return {}
    return {row.id: read_row(row) for row in tx.execute(_GET_ALL, {"these": list(job_ids)})}


def require(tx: Transaction, job_id: str) -> Job:
    """One job by our id. Raises NotFound."""
    return _found(get(tx, job_id), job_id)


def lock(tx: Transaction, job_id: str) -> Job:
    """One job, held until the transaction ends, so that counters are not counted past each other.

    Whoever holds several holds them in the order of their ids, and a job before its webhooks and its
    hand-offs: else two transactions could wait for each other. Raises NotFound.
    """
    return _found(lock_if_there(tx, job_id), job_id)


def lock_if_there(tx: Transaction, job_id: str) -> Job | None:
    """As `lock`; None where there is no such job any more."""
    return _first(tx, _LOCK, job_id)


def _first(tx: Transaction, query: Select[Any], job_id: str) -> Job | None:
    row = tx.execute(query, {"this": job_id}).first()
    return read_row(row) if row else None


def _found(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise NotFound(f"there is no job {job_id}", hint="`orchestrator jobs` lists them")
    return job


def by_gateway_id(tx: Transaction, account_id: str, gateway_id: str) -> Job | None:
    """The account's job that the gateway knows by this id."""
    return _of_gateway(tx, _GET_OF_GATEWAY, account_id, gateway_id)


def lock_by_gateway_id(tx: Transaction, account_id: str, gateway_id: str) -> Job | None:
    """The same, held as `lock` does."""
    return _of_gateway(tx, _LOCK_OF_GATEWAY, account_id, gateway_id)


def _of_gateway(tx: Transaction, query: Select[Any], account_id: str, gateway_id: str) -> Job | None:
    row = tx.execute(query, {"of_account": account_id, "there": gateway_id}).first()
    return read_row(row) if row else None


def hold_free_of_gateway(tx: Transaction, account_id: str, gateway_ids: Collection[str]) -> dict[str, Job]:
    """Hold those of the account's jobs with these gateway ids that nobody else holds; by these ids."""
    these = select(jobs).where(jobs.c.account_id == account_id, jobs.c.gateway_id.in_(gateway_ids))
    rows = tx.execute(these.order_by(jobs.c.id).with_for_update(skip_locked=True, key_share=True))
    return {row.gateway_id: read_row(row) for row in rows}


def hold_free(tx: Transaction, job_ids: Collection[str]) -> dict[str, Job]:
    """Hold those of these jobs that nobody else holds, by their ids."""
    return {row.id: read_row(row) for row in tx.execute(_HOLD_FREE, {"these": list(job_ids)})}


def by_session(tx: Transaction, account_id: str, session_id: str) -> Job | None:
    """The account's job that a create attempt was made for, be it the latest attempt or an earlier one."""
    return _one(tx, jobs.c.account_id == account_id, jobs.c.id == job_of_session(session_id))


def known_gateway_ids(tx: Transaction, account_id: str, gateway_ids: Sequence[str]) -> set[str]:
    """Which of these gateway ids belong to a job of ours."""
    query = select(jobs.c.gateway_id).where(
        jobs.c.account_id == account_id, jobs.c.gateway_id.in_(gateway_ids)
    )
    return {row.gateway_id for row in tx.execute(query)}


def waiting(tx: Transaction, account_id: str, gateway_ids: Sequence[str]) -> list[Job]:
    """Those of the account's jobs with one of these gateway ids that wait for their end, by our ids."""
    these = (jobs.c.account_id == account_id, jobs.c.gateway_id.in_(gateway_ids))
    return _many(tx, select(jobs).where(*these, jobs.c.state == State.WAITING).order_by(jobs.c.id))


def existing(tx: Transaction, job_ids: Sequence[str]) -> set[str]:
    """Which of these are ids of jobs of ours."""
    return {row.id for row in tx.execute(select(jobs.c.id).where(jobs.c.id.in_(job_ids)))}


def hold(tx: Transaction, job_ids: Sequence[str]) -> None:
    """Hold several jobs until the transaction ends, as `lock` does one. SQLite has one writer anyway."""
    if len(job_ids) > 1 and tx.connection.dialect.name != "sqlite":
        tx.execute(_HOLD, {"these": list(job_ids)}).all()


def move_if_still(tx: Transaction, job: Job, changes: Mapping[str, Any]) -> bool:
    """Change the job unless somebody changed it since it was read; False means: read and decide again."""
    return move_all_if_still(tx, [(job, changes)])


def move_all_if_still(tx: Transaction, moves: Sequence[tuple[Job, Mapping[str, Any]]]) -> bool:
    """Change several jobs; False means: not all of them were as they were read, and the rest is changed."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for job, changes in moves:
        as_read = {"read_id": job.id, "read_state": job.state, "read_seq": job.next_seq}
        names = tuple(sorted(changes))
        alike.setdefault(names, []).append(as_read | {f"new_{name}": changes[name] for name in names})
    return sum(_move(tx, names, rows) for names, rows in alike.items()) == len(moves)


def _move(tx: Transaction, names: tuple[str, ...], rows: list[dict[str, Any]]) -> int:
    """Change jobs as they were read, in these columns. Returns how many."""
    if together := as_one(tx, rows):
        return tx.execute(_moving_many(names), together).rowcount
    return tx.execute(_moving(names), rows).rowcount


@cache  # putting one together takes SQLAlchemy longer than running it
def _moving(names: tuple[str, ...]) -> Update:
    guard = and_(
        jobs.c.id == bindparam("read_id", type_=String),
        jobs.c.state == bindparam("read_state", type_=String),
        jobs.c.next_seq == bindparam("read_seq", type_=Integer),
    )
    changes = {name: bindparam(f"new_{name}", type_=jobs.c[name].type) for name in names}
    return update(jobs).where(guard).values(changes)


@cache
def _moving_many(names: tuple[str, ...]) -> Update:
    as_read = {"read_id": jobs.c.id, "read_state": jobs.c.state, "read_seq": jobs.c.next_seq}
    to_be = {f"new_{name}": jobs.c[name] for name in names}
    return changing(jobs, as_read, to_be)


def claim_due(
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


def note(tx: Transaction, job_id: str, facts: Mapping[str, Any]) -> None:
    """Write facts that no decision hangs on, whoever holds the job."""
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(**facts))


def abandoned_creates(tx: Transaction, *, limit: int) -> list[Job]:
    """Jobs whose create call lost its worker: nobody knows any more whether it was sent."""
    return [read_row(row) for row in tx.execute(_ABANDONED, moment(tx) | {"most": limit})]


def overdue_creates(tx: Transaction, *, limit: int) -> list[Job]:
    """Accepted jobs that nobody is creating and whose deadline has passed, the longest ago first."""
    return [read_row(row) for row in tx.execute(_OVERDUE, moment(tx) | {"most": limit})]


def due_moments(tx: Transaction, waiting: Waiting, *, until: float, limit: int) -> list[float]:
    """When the next jobs are due for this kind of work, soonest first, whoever may do it."""
    return due.moments(tx, waiting, until=until, limit=limit, given={"held_before": tx.now})


def due_since(tx: Transaction, waiting: Waiting, *, held_within: float) -> float | None:
    """Since when the longest due job waits for a worker, or None; held creates do not wait for one.

    Nor do those of a tenant that was held in the last `held_within` seconds: they were due all the while.
    """
    return due.oldest(tx, waiting, given={"held_before": tx.now - held_within})


def count_due(tx: Transaction, waiting: Waiting, *, held_within: float, most: int) -> int:
    """How many jobs are due and wait for a worker, as `due_since` has it; `most` of each tenant at most."""
    return due.count(tx, waiting, most=most, given={"held_before": tx.now - held_within})


def _one(tx: Transaction, *where: ColumnElement[bool]) -> Job | None:
    row = tx.execute(select(jobs).where(*where)).first()
    return read_row(row) if row else None


def _many(tx: Transaction, query: Any) -> list[Job]:
    return [read_row(row) for row in tx.execute(query)]


def read_row(row: Row[Any]) -> Job:
    """One job as the database has it."""
    return of_columns(dict(zip(row._fields, row, strict=True)))  # half the time of `dict(row._mapping)`


def of_columns(values: dict[str, Any]) -> Job:
    """One job of its columns, which are made what they mean."""
    values["state"] = State(values["state"])
    values["updates"] = Updates(values["updates"])
    values["destinations"] = tuple(read_route(one) for one in values["destinations"])
    values["blame"] = values["blame"] and Fault(values["blame"])
    values["won_by"] = values["won_by"] and Source(values["won_by"])
    values["suspicion"] = values["suspicion"] and Seen(values["suspicion"])
    return Job(**values)


def _row(job: Job) -> dict[str, Any]:
    # Not `asdict`, which would copy all that is in the request.
    row = {name: getattr(job, name) for name in Job.__dataclass_fields__}
    return row | {"destinations": [route.as_json() for route in job.destinations]}
