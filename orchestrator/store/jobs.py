"""Jobs: one row each, moved only by guarded updates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    Update,
    and_,
    bindparam,
    select,
    update,
)

from orchestrator.core.blame import Fault
from orchestrator.core.job import Job, Source, Updates, job_of_session
from orchestrator.core.lifecycle import Seen, State
from orchestrator.core.routes import read_route
from orchestrator.errors import NotFound
from orchestrator.store import lanes
from orchestrator.store.database import Transaction
from orchestrator.store.given import add_rows, among, as_one, changing
from orchestrator.store.schema import jobs

_GET = select(jobs).where(jobs.c.id == bindparam("this", type_=String))
_GET_OF_GATEWAY = select(jobs).where(
    jobs.c.account_id == bindparam("of_account", type_=String),
    jobs.c.gateway_id == bindparam("there", type_=String),
)
_LOCK_OF_GATEWAY = _GET_OF_GATEWAY.with_for_update(key_share=True)
_LOCK = _GET.with_for_update(key_share=True)  # not its key: rows that refer to it can be written meanwhile


@cache
def _get_all(dialect: str) -> Select[Any]:
    return select(jobs).where(among(dialect, jobs.c.id, "these"))


@cache
def _hold(dialect: str) -> Select[Any]:
    these = among(dialect, jobs.c.id, "these")
    return select(jobs.c.id).where(these).order_by(jobs.c.id).with_for_update(key_share=True)


@cache
def _hold_free(dialect: str) -> Select[Any]:
    return _get_all(dialect).order_by(jobs.c.id).with_for_update(skip_locked=True, key_share=True)


@cache
def _hold_free_of_gateway(dialect: str) -> Select[Any]:
    there = among(dialect, jobs.c.gateway_id, "there")
    theirs = select(jobs).where(jobs.c.account_id == bindparam("of_account", type_=String), there)
    return theirs.order_by(jobs.c.id).with_for_update(skip_locked=True, key_share=True)


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
    rows = tx.execute(_get_all(tx.dialect), {"these": list(job_ids)})
    return {row.id: read_row(row) for row in rows}


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
    these = {"of_account": account_id, "there": list(gateway_ids)}
    return {row.gateway_id: read_row(row) for row in tx.execute(_hold_free_of_gateway(tx.dialect), these)}


def hold_free(tx: Transaction, job_ids: Collection[str]) -> dict[str, Job]:
    """Hold those of these jobs that nobody else holds, by their ids."""
    rows = tx.execute(_hold_free(tx.dialect), {"these": list(job_ids)})
    return {row.id: read_row(row) for row in rows}


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
    if len(job_ids) > 1 and tx.dialect != "sqlite":
        tx.execute(_hold(tx.dialect), {"these": list(job_ids)}).all()


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


def note(tx: Transaction, job_id: str, facts: Mapping[str, Any]) -> None:
    """Write facts that no decision hangs on, whoever holds the job."""
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(**facts))


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
