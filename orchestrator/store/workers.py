"""Worker heartbeats. A lease belongs to a worker and dies with it."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Column, ColumnElement, String, bindparam, case, delete, func, insert, select, update

from orchestrator.store.database import WORKER_DEAD_AFTER, Transaction
from orchestrator.store.schema import pulses, workers

_WORKS = workers.c.takes_messages.is_(True)
_BEATEN_AT = select(workers.c.beaten_at).where(workers.c.id == bindparam("worker", type_=String))


def join(tx: Transaction, worker: str, *, host: str, pid: int, takes_messages: bool = True) -> None:
    """Make a worker known; it must beat from now on.

    One that takes no messages only holds leases: it is not counted among those that get work done.
    """
    about = {"host": host, "pid": pid, "takes_messages": takes_messages}
    tx.execute(insert(workers).values(id=worker, started_at=tx.now, beaten_at=tx.now, **about))


def beat(tx: Transaction, worker: str) -> bool:
    """Say that a worker lives. False: it was given up for dead meanwhile, and its leases with it."""
    latest = _latest(workers.c.beaten_at, tx.now)
    return tx.execute(update(workers).where(workers.c.id == worker).values(beaten_at=latest)).rowcount == 1


def can_lease(tx: Transaction, worker: str) -> bool:
    """Whether a lease of this worker would hold. One that wakes from a long pause beats first.

    False: it was forgotten meanwhile, and has to join again.
    """
    beaten_at = tx.execute(_BEATEN_AT, {"worker": worker}).scalar()
    if beaten_at is not None and beaten_at <= tx.now - WORKER_DEAD_AFTER:
        return beat(tx, worker)
    return beaten_at is not None


def leave(tx: Transaction, worker: str) -> None:
    """Forget a worker; whatever it still leases is free at once."""
    tx.execute(delete(workers).where(workers.c.id == worker))


def leave_all(tx: Transaction) -> None:
    """Void every lease; only for whoever holds the database for itself alone."""
    tx.execute(delete(workers))


def alive(tx: Transaction, *, host: str | None = None) -> list[int]:
    """The process ids of the workers that beat, oldest first; of all hosts or of one."""
    query = select(workers.c.pid).where(_WORKS, workers.c.beaten_at > tx.now - WORKER_DEAD_AFTER)
    if host is not None:
        query = query.where(workers.c.host == host)
    return [row.pid for row in tx.execute(query.order_by(workers.c.started_at))]


def beats(tx: Transaction, worker: str) -> bool:
    """Whether a worker is known and alive."""
    beaten_at = tx.execute(_BEATEN_AT, {"worker": worker}).scalar()
    return beaten_at is not None and beaten_at > tx.now - WORKER_DEAD_AFTER


def first_start(tx: Transaction) -> float | None:
    """Since when there has been a worker that is known, or None when there is none."""
    return tx.execute(select(func.min(workers.c.started_at)).where(_WORKS)).scalar()


def working_since(tx: Transaction) -> float | None:
    """Since when one of those has been there that beat, or None when there is none."""
    living = workers.c.beaten_at > tx.now - WORKER_DEAD_AFTER
    return tx.execute(select(func.min(workers.c.started_at)).where(_WORKS, living)).scalar()


def bury_dead(tx: Transaction) -> int:
    """Forget workers that stopped beating long ago; their leases were void already."""
    dead = select(workers.c.id).where(workers.c.beaten_at < tx.now - 10 * WORKER_DEAD_AFTER)
    # Not one that wakes up at this moment: it may go on to wait for what this transaction holds.
    asleep = dead.with_for_update(skip_locked=True)
    return tx.execute(delete(workers).where(workers.c.id.in_(asleep.scalar_subquery()))).rowcount


class Pulse(StrEnum):
    """Something recurrent that says when it happened last."""

    SWEEP = "sweep"  # somebody looked for what is due
    BEAT = "beat"  # a message of beat's arrived
    PURGE = "purge"  # somebody took out of the archive what is kept no longer
    HOUSEKEEPING = "housekeeping"  # what is kept no longer was removed
    OPEN_JOBS = "open_jobs"  # somebody counted the open jobs as what they teach
    PROBE = "probe"  # somebody looked for endpoints that fell silent
    RECEIVER = "receiver"  # somebody could take webhooks
    GATEWAY_AWAY = "gateway_away"  # somebody left a whole gateway alone, since nothing came back from it
    OUTAGE_BEGAN = "outage_began"  # the last time before nobody could …
    OUTAGE_ENDED = "outage_ended"  # … and the first one after it
    OUTAGE_GIVEN_UP = "outage_given_up"  # the gateway turned out not to try again what came meanwhile


# Those that happen again and again while all is well: the longer ago, the worse.
RECURRENT = (
    Pulse.SWEEP,
    Pulse.BEAT,
    Pulse.PURGE,
    Pulse.HOUSEKEEPING,
    Pulse.OPEN_JOBS,
    Pulse.PROBE,
    Pulse.RECEIVER,
)


def pulse(tx: Transaction, name: Pulse) -> None:
    """Note that something recurrent happened just now."""
    statement = tx.insert(pulses).values(name=name, at=tx.now)
    latest = _latest(pulses.c.at, tx.now)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"at": latest}))


def set_pulse(tx: Transaction, name: Pulse, at: float) -> None:
    """Note that it happened at another moment."""
    statement = tx.insert(pulses).values(name=name, at=at)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"at": at}))


def every_pulse(tx: Transaction) -> dict[Pulse, float]:
    """When everything last happened that ever did."""
    known = set(Pulse)
    return {Pulse(row.name): row.at for row in tx.execute(select(pulses)) if row.name in known}


def pulse_if_older(tx: Transaction, name: Pulse, seconds: float) -> bool:
    """Note that something happens now, unless it did within these seconds: one of many callers gets True."""
    statement = tx.insert(pulses).values(name=name, at=tx.now)
    older = pulses.c.at <= tx.now - seconds
    taken = statement.on_conflict_do_update(index_elements=["name"], set_={"at": tx.now}, where=older)
    # Not by a count of rows: of an insert it is not told on PostgreSQL.
    return tx.execute(taken.returning(pulses.c.at)).first() is not None


def last_pulse(tx: Transaction, name: Pulse) -> float | None:
    """When it last happened, or None if never."""
    return tx.execute(select(pulses.c.at).where(pulses.c.name == name)).scalar()


def _latest(column: Column[float], now: float) -> ColumnElement[float]:
    """A transaction that waited for the row writes a moment that is over: time does not go back for that."""
    return case((column > now, column), else_=now)
