"""Dead letters: hand-offs that were given up after all their attempts, or that no attempt can mend."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select

from orchestrator.core.job import HandOff
from orchestrator.store.database import Transaction
from orchestrator.store.hand_offs import read_row
from orchestrator.store.schema import DEAD_LETTERS, hand_offs


@dataclass(frozen=True, slots=True)
class Matching:
    """Which are meant; None means any."""

    destination: str | None = None
    outcome: str | None = None
    within: float | None = None  # owed within so many seconds, up to now
    status: int | None = None  # what the destination answered last

    def of_tenant(self, tenant_id: str, now: float) -> ColumnElement[bool]:
        """As a condition on rows; `now` has epoch seconds."""
        columns = hand_offs.c
        told = {"destination": self.destination, "outcome": self.outcome, "last_status": self.status}
        named = [columns[name] == value for name, value in told.items() if value is not None]
        late = [] if self.within is None else [columns.created_at >= now - self.within]
        return and_(DEAD_LETTERS, columns.tenant_id == tenant_id, *named, *late)


ANY = Matching()


def latest(
    tx: Transaction, tenant_id: str, which: Matching = ANY, *, limit: int, before: int | None = None
) -> list[HandOff]:
    """The latest ones; `before`, an id, goes on where an earlier call ended."""
    guard = which.of_tenant(tenant_id, tx.now)
    if before is not None:
        guard = and_(guard, hand_offs.c.id < before)
    query = select(hand_offs).where(guard).order_by(hand_offs.c.id.desc()).limit(limit)
    return [read_row(row) for row in tx.execute(query)]


def count(tx: Transaction, tenant_id: str, which: Matching = ANY) -> int:
    """How many there are."""
    query = select(func.count()).select_from(hand_offs).where(which.of_tenant(tenant_id, tx.now))
    return int(tx.execute(query).scalar_one())
