"""The inbox: every believed webhook once, by event, and a bounded ring of those that were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.core.job import Job
from orchestrator.store.database import Transaction
from orchestrator.store.given import among
from orchestrator.store.schema import inbox, jobs, rejections


class EntryState(StrEnum):
    """What became of a webhook."""

    APPLIED = "applied"  # it reached a job
    WAITING = "waiting"  # believed, but no job of ours is known by this id yet
    IGNORED = "ignored"  # believed, and not about a video job


@dataclass(frozen=True, slots=True)
class Entry:
    """A believed webhook as it came in. Field names are column names."""

    id: int
    account_id: str
    event_key: str
    type: str
    gateway_id: str
    session_id: str | None
    job_id: str | None
    state: EntryState
    deliveries: int
    received_at: float
    last_received_at: float
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Rejection:
    """A delivery that was not believed, as far as it was kept."""

    id: int
    account_id: str
    reason: str
    detail: str
    received_at: float
    headers: dict[str, str]
    body: bytes
    truncated: bool


def remember_all_once(tx: Transaction, entries: Sequence[Mapping[str, Any]]) -> list[tuple[int, bool]]:
    """Keep deliveries, each of another event, or count those whose event was kept before; in one statement.

    Returns of each its id, and whether it is new. Of a repeated event the latest body is kept: the gateway
    rebuilds it from fresher state.
    """
    at = {"deliveries": 1, "received_at": tx.now, "last_received_at": tx.now}
    rows = tx.execute(_REMEMBER[tx.dialect], [dict(one) | at for one in entries])
    kept = {(row.account_id, row.event_key): (row.id, row.deliveries == 1) for row in rows}
    return [kept[one["account_id"], one["event_key"]] for one in entries]


def _remember(new: Any) -> Any:
    """Built once: putting one together takes SQLAlchemy longer than the database takes to run it."""
    fresher = ("last_received_at", "state", "job_id", "headers", "body")
    again = {name: new.excluded[name] for name in fresher} | {"deliveries": inbox.c.deliveries + 1}
    kept = new.on_conflict_do_update(index_elements=["account_id", "event_key"], set_=again)
    return kept.returning(inbox.c.id, inbox.c.account_id, inbox.c.event_key, inbox.c.deliveries)


@cache
def _waiting_for(dialect: str) -> Select[Any]:
    account = among(dialect, inbox.c.account_id, "accounts")
    job = or_(among(dialect, inbox.c.gateway_id, "there"), among(dialect, inbox.c.session_id, "sessions"))
    return select(inbox).where(account, inbox.c.state == EntryState.WAITING, job).order_by(inbox.c.id)


_REMEMBER = {"sqlite": _remember(sqlite.insert(inbox)), "postgresql": _remember(postgresql.insert(inbox))}


def settle(tx: Transaction, entry_id: int, state: EntryState, job_id: str | None = None) -> None:
    """Say what became of an entry."""
    tx.execute(update(inbox).where(inbox.c.id == entry_id).values(state=state, job_id=job_id))


def match_if_waiting(tx: Transaction, entry_id: int, job_id: str) -> bool:
    """Say which job a waiting entry is about, unless somebody did since it was read."""
    guard = and_(inbox.c.id == entry_id, inbox.c.state == EntryState.WAITING)
    return (
        tx.execute(update(inbox).where(guard).values(state=EntryState.APPLIED, job_id=job_id)).rowcount == 1
    )


def get(tx: Transaction, entry_id: int) -> Entry | None:
    """One entry."""
    row = tx.execute(select(inbox).where(inbox.c.id == entry_id)).first()
    return _entry(row) if row else None


def by_event(tx: Transaction, account_id: str, event_key: str) -> int | None:
    """The id of the entry of this event, if it was received."""
    event = (inbox.c.account_id == account_id, inbox.c.event_key == event_key)
    return tx.execute(select(inbox.c.id).where(*event)).scalar_one_or_none()


def recent(tx: Transaction, *, limit: int) -> list[Entry]:
    """The latest entries, newest first."""
    return [_entry(row) for row in tx.execute(select(inbox).order_by(inbox.c.id.desc()).limit(limit))]


def of_job(tx: Transaction, job_id: str) -> list[Entry]:
    """What came in for a job, in the order of its first receipt."""
    query = select(inbox).where(inbox.c.job_id == job_id).order_by(inbox.c.id)
    return [_entry(row) for row in tx.execute(query)]


def received_for(tx: Transaction, job: Job) -> list[Entry]:
    """What came in for a job, in the order of its first receipt, found by the gateway's name for it."""
    if job.gateway_id is None:
        return []
    named = (inbox.c.account_id == job.account_id, inbox.c.gateway_id == job.gateway_id)
    query = select(inbox).where(*named, inbox.c.job_id == job.id).order_by(inbox.c.id)
    return [_entry(row) for row in tx.execute(query)]


def waiting_for(tx: Transaction, known: Sequence[tuple[str, str, str]]) -> list[list[Entry]]:
    """What came in early for jobs that are only now known, for each: oldest first.

    Each is given as its account, the gateway's id and its session.
    """
    if not known:
        return []
    accounts, there, sessions = zip(*known, strict=True)
    given = {"accounts": sorted({*accounts}), "there": list(there), "sessions": list(sessions)}
    found = [_entry(row) for row in tx.execute(_waiting_for(tx.dialect), given)]
    return [[one for one in found if _is_about(one, *job)] for job in known]


def _is_about(entry: Entry, account_id: str, gateway_id: str, session_id: str) -> bool:
    return entry.account_id == account_id and (
        entry.gateway_id == gateway_id or entry.session_id == session_id
    )


def unmatched(tx: Transaction, *, since: float, limit: int) -> list[Entry]:
    """Entries received since a moment that wait for a job which is known by now, by the jobs' ids."""
    theirs = and_(jobs.c.account_id == inbox.c.account_id, jobs.c.gateway_id == inbox.c.gateway_id)
    # Not a join, which PostgreSQL begins with all jobs in the order of their ids once many entries wait.
    job_id = select(jobs.c.id).where(theirs).scalar_subquery()
    waiting = literal_column("inbox.state") == literal_column("'waiting'")  # as in its partial index
    recent = select(inbox, job_id.label("known")).where(waiting, inbox.c.last_received_at >= since).subquery()
    query = select(*(recent.c[column.name] for column in inbox.c)).where(recent.c.known.is_not(None))
    return [_entry(row) for row in tx.execute(query.order_by(recent.c.known, recent.c.id).limit(limit))]


def reject(tx: Transaction, rejection: Mapping[str, Any], *, keep: int) -> None:
    """Put a rejected delivery in the ring, which holds the last `keep` of an account."""
    made = tx.execute(insert(rejections).values(**rejection, received_at=tx.now))
    newest = made.inserted_primary_key[0] if made.inserted_primary_key else 0
    account = rejections.c.account_id == rejection["account_id"]
    kept = select(rejections.c.id).where(account).order_by(rejections.c.id.desc()).limit(keep)
    oldest = select(func.min(kept.subquery().c.id)).scalar_subquery()
    tx.execute(delete(rejections).where(account, rejections.c.id < oldest, rejections.c.id < newest))


def get_rejection(tx: Transaction, rejection_id: int) -> Rejection | None:
    """One rejected delivery."""
    row = tx.execute(select(rejections).where(rejections.c.id == rejection_id)).first()
    return Rejection(**dict(row._mapping)) if row else None


def recent_rejections(tx: Transaction, *, limit: int) -> list[Rejection]:
    """The latest rejected deliveries, newest first."""
    query = select(rejections).order_by(rejections.c.id.desc()).limit(limit)
    return [Rejection(**dict(row._mapping)) for row in tx.execute(query)]


def drop_rejection(tx: Transaction, rejection_id: int) -> None:
    """Take a delivery out of the ring: it was believed after all."""
    tx.execute(delete(rejections).where(rejections.c.id == rejection_id))


def prune(tx: Transaction, *, before: float, limit: int = 5_000) -> int:
    """Forget entries last received before a moment."""
    old = select(inbox.c.id).where(inbox.c.last_received_at < before).limit(limit)
    return tx.execute(delete(inbox).where(inbox.c.id.in_(old.scalar_subquery()))).rowcount


def prune_rejections(tx: Transaction, *, before: float) -> int:
    """Forget rejected deliveries received before a moment."""
    return tx.execute(delete(rejections).where(rejections.c.received_at < before)).rowcount


def _entry(row: Row[Any]) -> Entry:
    values = dict(row._mapping)
    return Entry(**values | {"state": EntryState(values["state"])})
