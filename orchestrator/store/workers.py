"""Worker heartbeats. A lease belongs to a worker and dies with it."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from orchestrator.store.database import WORKER_DEAD_AFTER, Transaction
from orchestrator.store.schema import pulses, workers


def join(tx: Transaction, worker: str, *, host: str, pid: int) -> None:
    """Make a worker known; it must beat from now on."""
    tx.execute(insert(workers).values(id=worker, host=host, pid=pid, started_at=tx.now, beaten_at=tx.now))


def beat(tx: Transaction, worker: str) -> bool:
    """Say that a worker lives. False: it was given up for dead meanwhile, and its leases with it."""
    return tx.execute(update(workers).where(workers.c.id == worker).values(beaten_at=tx.now)).rowcount == 1


def leave(tx: Transaction, worker: str) -> None:
    """Forget a worker; whatever it still leases is free at once."""
    tx.execute(delete(workers).where(workers.c.id == worker))


def leave_all(tx: Transaction) -> None:
    """Void every lease; only for whoever holds the database for itself alone."""
    tx.execute(delete(workers))


def alive(tx: Transaction) -> list[int]:
    """The process ids of the workers that beat, oldest first."""
    query = select(workers.c.pid).where(workers.c.beaten_at > tx.now - WORKER_DEAD_AFTER)
    return [row.pid for row in tx.execute(query.order_by(workers.c.started_at))]


def bury_dead(tx: Transaction) -> int:
    """Forget workers that stopped beating long ago; their leases were void already."""
    dead = workers.c.beaten_at < tx.now - 10 * WORKER_DEAD_AFTER
    return tx.execute(delete(workers).where(dead)).rowcount


def pulse(tx: Transaction, name: str) -> None:
    """Note that something recurrent happened just now."""
    statement = tx.insert(pulses).values(name=name, at=tx.now)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"at": tx.now}))


def last_pulse(tx: Transaction, name: str) -> float | None:
    """When it last happened, or None if never."""
    return tx.execute(select(pulses.c.at).where(pulses.c.name == name)).scalar()
