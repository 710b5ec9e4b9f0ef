"""What stands at a destination: how much is owed and dead there, and what failed last.

Each is counted no further than to a bound, along an index, however much there is.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, func, select

from orchestrator.core.job import HandOff
from orchestrator.core.routes import lane_of
from orchestrator.store.database import Transaction
from orchestrator.store.hand_offs import read_row
from orchestrator.store.schema import HAND_OFFS_DUE, hand_offs, lanes

WINDOW = 1_000  # waiting hand-offs that are looked through for those that failed before


def owed(tx: Transaction, tenant_id: str | None, name: str, *, most: int) -> int:
    """How many hand-offs wait for it, of one tenant or of all; not those that wait for the archive first."""
    waiting = select(hand_offs.c.id).where(_waits(tenant_id, name)).where(HAND_OFFS_DUE).limit(most)
    return int(tx.execute(select(func.count()).select_from(waiting.subquery())).scalar_one())


def failed(tx: Transaction, tenant_id: str | None, name: str, *, limit: int) -> list[HandOff]:
    """Some that failed there and are tried again, soonest first."""
    waiting: Select[tuple[int, str | None]] = select(hand_offs.c.id, hand_offs.c.last_error)
    soonest = waiting.where(_waits(tenant_id, name)).where(HAND_OFFS_DUE).order_by(hand_offs.c.due_at)
    window = soonest.limit(WINDOW).subquery()
    some = select(window.c.id).where(window.c.last_error.is_not(None)).limit(limit)
    query = select(hand_offs).where(hand_offs.c.id.in_(some)).order_by(hand_offs.c.due_at, hand_offs.c.id)
    return [read_row(row) for row in tx.execute(query)]


def _waits(tenant_id: str | None, name: str) -> ColumnElement[bool]:
    if tenant_id is not None:
        return hand_offs.c.lane == lane_of(tenant_id, name)
    return hand_offs.c.lane.in_(select(lanes.c.id).where(lanes.c.destination == name))
