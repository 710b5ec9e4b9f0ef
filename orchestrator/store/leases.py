"""What a worker has leased, of all kinds of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from orchestrator.store.database import Transaction
from orchestrator.store.schema import hand_offs, jobs

_TABLES: dict[str, Any] = {"job": jobs, "hand_off": hand_offs}


@dataclass(frozen=True, slots=True)
class Lease:
    """One row in the hands of a worker; a later lease of the row has a higher fence.

    Unless the machine of the database lost its power: a lease that it forgot gave out the same fence. So
    whoever writes under a lease asks for the worker as well.
    """

    table: str
    row: str | int
    fence: int


def of_worker(tx: Transaction, worker: str) -> set[Lease]:
    """Everything a worker has leased."""
    found: set[Lease] = set()
    for name, table in _TABLES.items():
        rows = tx.execute(select(table.c.id, table.c.fence).where(table.c.leased_by == worker))
        found |= {Lease(name, row.id, row.fence) for row in rows}
    return found


def lock_order(lease: Lease) -> tuple[int, Any]:
    """By this key leases are in the order in which everybody holds rows: jobs by id, then hand-offs by id."""
    return list(_TABLES).index(lease.table), lease.row


def end_if_still(tx: Transaction, worker: str, lease: Lease) -> bool:
    """Free a row, unless its lease ended or went to somebody else meanwhile."""
    table = _TABLES[lease.table]
    guard = (table.c.id == lease.row, table.c.fence == lease.fence, table.c.leased_by == worker)
    return tx.execute(update(table).where(*guard).values(leased_by=None, lease_until=None)).rowcount == 1
