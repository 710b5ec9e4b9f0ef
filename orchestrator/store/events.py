"""Events: what is told of jobs, readable from any point, by whoever comes back, without a gap.

Of one job they are numbered under the job's lock: what shows is always the beginning of the whole. Over all
jobs, their order is by the transaction that wrote them, never before an earlier event of the same job. A
transaction with a lower number may commit after one with a higher: so the stream over several jobs is read
only up to the oldest transaction that is still under way. SQLite has one writer: there they are counted,
from the time on, since the newest of all may be purged and its number must not come again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Row,
    ScalarSelect,
    String,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    tuple_,
    update,
)

from orchestrator.core.events import Told
from orchestrator.core.job import Job
from orchestrator.store.database import Transaction
from orchestrator.store.given import adding, as_one
from orchestrator.store.schema import FIRST_EVENTS, events, jobs

# Numbers of transactions that another server gave are moved below zero by it; none ever comes near.
OTHER_SERVER = 2**62
PART = 500  # jobs whose events one pruning forgets at most


class Position(NamedTuple):
    """A place in the order of all events: after this one."""

    transaction: int
    job_id: str = ""
    seq: int = 0


START = Position(-OTHER_SERVER)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. `settled`: no other can come before it any more."""

    job_id: str
    seq: int
    tenant_id: str
    end_user: str | None
    position: Position
    at: float
    type: Told
    data: dict[str, Any]
    settled: bool


def append(tx: Transaction, job: Job, told: Told, data: Mapping[str, Any]) -> None:
    """Tell something of a job, for whoever holds it by `jobs.lock`. Followers are woken after the commit."""
    append_all(tx, [(job, told, data)])


def append_all(tx: Transaction, news: Sequence[tuple[Job, Told, Mapping[str, Any]]]) -> None:
    """Tell several things, in this order, for whoever holds all the jobs. They are sent together."""
    if news:
        rows = [_row(tx, job, told, data) for job, told, data in news]
        # Of several about one job, each is numbered after the one before it.
        in_turn = len({job.id for job, _, _ in news}) < len(news)
        if not in_turn and (together := as_one(tx, _named(rows))):
            tx.execute(_APPEND_OF_MANY, together)
        else:
            tx.execute(_APPEND[tx.dialect], rows)
        _ring(tx)


def append_first(tx: Transaction, new: Sequence[Job]) -> None:
    """Tell that jobs were accepted, in the transaction that adds them: nobody else can hold them yet."""
    if not new:
        return
    rows = [_row(tx, job, Told.ACCEPTED, {}) for job in new]
    if together := as_one(tx, _named(rows)):
        tx.execute(_FIRST_OF_MANY, together)
    else:
        tx.execute(_FIRST[tx.dialect], rows)
    _ring(tx)


def of_job(tx: Transaction, job_id: str, *, after: int = 0, limit: int) -> list[Entry]:
    """A job's events after a number, in order, without a gap."""
    where = (events.c.job_id == job_id, events.c.seq > after)
    return _read(tx, select(events).where(*where).order_by(events.c.seq).limit(limit))


def last(tx: Transaction, job_id: str) -> int:
    """The number of a job's latest event; 0 for none."""
    return int(tx.execute(select(func.max(events.c.seq)).where(events.c.job_id == job_id)).scalar() or 0)


def of_tenant(
    tx: Transaction, tenant_id: str, *, end_user: str | None = None, after: Position, limit: int
) -> list[Entry]:
    """A tenant's settled events after a position, in order; of one end user's jobs where one is named."""
    whose = [events.c.tenant_id == tenant_id]
    if end_user is not None:
        whose.append(events.c.end_user == end_user)
    query = select(events).where(*whose, _after(after), events.c.position < literal(_settled_below(tx)))
    return _read(tx, query.order_by(*_ORDER).limit(limit))


def news(tx: Transaction, *, after: Position, limit: int) -> list[Entry]:
    """Everybody's events after a position, in order, also those that are not settled."""
    return _read(tx, select(events).where(_after(after)).order_by(*_ORDER).limit(limit))


def now(tx: Transaction) -> Position:
    """The position behind everything that is settled, and before everything else."""
    if tx.dialect == "sqlite":
        return Position(int(tx.execute(_NEWEST).scalar() or 0) + 1)
    return Position(_settled_below(tx))


def known(tx: Transaction, position: Position) -> Position:
    """A position that somebody kept, as it stands today: another server's database may have been restored."""
    if position.transaction < _settled_above(tx):
        return position
    return position._replace(transaction=position.transaction - OTHER_SERVER)


def take_over(tx: Transaction) -> int:
    """Move events that another server numbered before all that this one does. Returns how many.

    For whoever migrates: a restored database may have numbers that this server has yet to come to.
    """
    if tx.dialect == "sqlite":
        return 0
    if (tx.execute(_NEWEST).scalar() or 0) < _settled_above(tx):
        return 0
    moved = update(events).where(events.c.position >= 0)
    return tx.execute(moved.values(position=events.c.position - OTHER_SERVER)).rowcount


def prune(tx: Transaction, *, before: float) -> int:
    """Forget those of some jobs that had ended by a moment, the oldest first. Returns how many.

    A job's last one stays: those that follow it are numbered after it.
    """
    later = events.alias()
    last = select(func.max(later.c.seq)).where(later.c.job_id == events.c.job_id).scalar_subquery()
    # Found by their first one, which goes: else all that are left of earlier times would be read each time.
    whole = (
        select(events.c.job_id)
        .join(jobs, jobs.c.id == events.c.job_id)
        .where(FIRST_EVENTS, events.c.at < before, jobs.c.settled_at < before, last > 1)
        .order_by(events.c.at)
        .limit(PART)
    )
    return tx.execute(delete(events).where(events.c.job_id.in_(whole), events.c.seq < last)).rowcount


_ORDER = (events.c.position, events.c.job_id, events.c.seq)
_NEWEST = select(func.max(events.c.position))


def _after(position: Position) -> ColumnElement[bool]:
    given = tuple_(
        literal(position.transaction, BigInteger),
        literal(position.job_id, String),
        literal(position.seq, BigInteger),
    )
    return tuple_(*_ORDER) > given


def _ring(tx: Transaction) -> None:
    if tx.ring not in tx.after_commit:
        tx.after_commit.append(tx.ring)


def _row(tx: Transaction, job: Job, told: Told, data: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the statements below."""
    return {
        "of_job": job.id,
        "of_tenant": job.tenant_id,
        "of_end_user": job.end_user,
        "told_at": tx.now,
        "told": told,
        "facts": dict(data),
    }


def _named(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same by their columns."""
    return [{name: row[one.key] for name, one in _GIVEN.items()} for row in rows]


# Built once: putting one together takes SQLAlchemy longer than the database takes to run it.
_GIVEN = {
    "job_id": bindparam("of_job", type_=String),
    "tenant_id": bindparam("of_tenant", type_=String),
    "end_user": bindparam("of_end_user", type_=String),
    "at": bindparam("told_at", type_=Float),
    "type": bindparam("told", type_=String),
    "data": bindparam("facts", type_=events.c.data.type),
}
_LATEST = events.alias()


def _last(job_id: ColumnElement[str], column: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Of a job's latest event, what is in a column of `_LATEST`."""
    latest = select(column).where(_LATEST.c.job_id == job_id).order_by(_LATEST.c.seq.desc()).limit(1)
    return latest.correlate_except(_LATEST).scalar_subquery()


def _next_seq(job_id: ColumnElement[str]) -> ColumnElement[int]:
    return func.coalesce(_last(job_id, _LATEST.c.seq), 0) + 1


_MICROSECONDS = cast(_GIVEN["at"] * 1_000_000, BigInteger)
_COUNTED = func.max(func.coalesce(_NEWEST.scalar_subquery(), 0) + 1, _MICROSECONDS)  # as SQLite spells it
_NUMBERED = cast(cast(func.pg_current_xact_id(), Text), BigInteger)


def _never_before(job_id: ColumnElement[str]) -> ColumnElement[int]:
    return func.greatest(_NUMBERED, _last(job_id, _LATEST.c.position))


_SEQ = _next_seq(_GIVEN["job_id"])
_APPEND = {
    "sqlite": insert(events).values(**_GIVEN, seq=_SEQ, position=_COUNTED),
    "postgresql": insert(events).values(**_GIVEN, seq=_SEQ, position=_never_before(_GIVEN["job_id"])),
}
_APPEND_OF_MANY = adding(
    events,
    list(_GIVEN),
    lambda rows: {"seq": _next_seq(rows.c.job_id), "position": _never_before(rows.c.job_id)},
)
_FIRST = {
    "sqlite": insert(events).values(**_GIVEN, seq=1, position=_COUNTED),
    "postgresql": insert(events).values(**_GIVEN, seq=1, position=_NUMBERED),
}
_FIRST_OF_MANY = adding(events, list(_GIVEN), lambda _: {"seq": literal(1), "position": _NUMBERED})


def _settled_below(tx: Transaction) -> int:
    """Every event with a lower number is there, or never will be."""
    if tx.dialect == "sqlite":
        return OTHER_SERVER
    return int(
        tx.connection.scalar(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")) or 0
    )


def _settled_above(tx: Transaction) -> int:
    """No transaction of this server has this number yet, or a higher one."""
    if tx.dialect == "sqlite":
        return OTHER_SERVER
    return int(
        tx.connection.scalar(text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")) or 0
    )


def _read(tx: Transaction, query: Any) -> list[Entry]:
    below = _settled_below(tx)
    return [_entry(row, below) for row in tx.execute(query)]


def _entry(row: Row[Any], settled_below: int) -> Entry:
    values = dict(row._mapping)
    position = Position(values["position"], values["job_id"], values["seq"])
    settled = position.transaction < settled_below
    return Entry(**values | {"position": position, "type": Told(values["type"]), "settled": settled})
