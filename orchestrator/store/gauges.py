"""Counts of what there is now, for whoever watches. Each reads so many rows at most, or says otherwise."""

from __future__ import annotations

from sqlalchemy import ColumnElement, TextClause, and_, func, select, text

from orchestrator.store import uncertain_creates
from orchestrator.store.database import WORKER_DEAD_AFTER, Transaction
from orchestrator.store.schema import (
    DEAD_LETTERS,
    DEADLINES,
    HAND_OFFS_DUE,
    LOOKS_DUE,
    archived,
    hand_offs,
    jobs,
    lanes,
    workers,
)

MOST = 100_000  # rows that one count reads; beyond that it stays at this number
# Each as a partial index has it: counting others would read all jobs that ever were.
_OPEN = {"create": DEADLINES, "create_call": text("state = 'creating'"), "look": LOOKS_DUE}
_LEASED = text("leased_by IS NOT NULL")


def open_jobs(tx: Transaction) -> dict[str, int]:
    """Jobs by what they wait for: their create, the answer to it, a look (or webhook), or a person."""
    waiting = {name: _count(tx, jobs.c.id, rows) for name, rows in _OPEN.items()}
    return waiting | {"person": uncertain_creates.count(tx, None, needs_person=True, most=MOST)}


def leases(tx: Transaction) -> dict[str, int]:
    """What somebody holds who lives: a lease that a dead worker left is void, whoever it names."""
    living = select(workers.c.id).where(workers.c.beaten_at > tx.now - WORKER_DEAD_AFTER)
    return {
        name: _count(tx, table.c.id, and_(_LEASED, table.c.leased_by.in_(living)))
        for name, table in {"job": jobs, "hand_off": hand_offs}.items()
    }


def owed(tx: Transaction) -> dict[str, int]:
    """Hand-offs that wait for their time, by destination."""
    some = select(hand_offs.c.lane).where(HAND_OFFS_DUE).limit(MOST).subquery()
    by_lane = select(some.c.lane, func.count().label("many")).group_by(some.c.lane).subquery()
    total = func.sum(by_lane.c.many).label("many")
    query = select(lanes.c.destination, total).join(by_lane, by_lane.c.lane == lanes.c.id)
    return {row.destination: int(row.many) for row in tx.execute(query.group_by(lanes.c.destination))}


def dead(tx: Transaction) -> dict[str, int]:
    """Hand-offs that were given up, by destination."""
    some = select(hand_offs.c.destination).where(DEAD_LETTERS).limit(MOST).subquery()
    query = select(some.c.destination, func.count().label("many")).group_by(some.c.destination)
    return {row.destination: int(row.many) for row in tx.execute(query)}


def archive_size(tx: Transaction) -> tuple[int, int]:
    """Pieces of content and their bytes. Reads a row for each: not to be asked often."""
    size = func.coalesce(func.sum(archived.c.bytes), 0).label("size")
    row = tx.execute(select(func.count().label("many"), size)).one()
    return int(row.many), int(row.size)


def _count(tx: Transaction, column: object, rows: ColumnElement[bool] | TextClause) -> int:
    some = select(column).where(rows).limit(MOST).subquery()  # type: ignore[call-overload]  # any column
    return int(tx.execute(select(func.count()).select_from(some)).scalar_one())
