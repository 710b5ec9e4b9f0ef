"""Dead letters: hand-offs that were given up after all their attempts, or that no attempt can mend."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select

from orchestrator.core.job import HandOff
from orchestrator.store.database import Transaction
from orchestrator.store.hand_offs import read_row
from orchestrator.store.schema import DEAD_LETTERS, hand_offs, tenants


@dataclass(frozen=True, slots=True)
class Matching:
    """Which are meant; None means any."""

    destination: str | None = None
    outcome: str | None = None
    within: float | None = None  # owed within so many seconds, up to now
    status: int | None = None  # what the destination answered last

    def of_tenant(self, tenant_id: str | None, now: float) -> ColumnElement[bool]:
        """As a condition on rows of a tenant, or of all; `now` has epoch seconds."""
        columns = hand_offs.c
        told = {"destination": self.destination, "outcome": self.outcome, "last_status": self.status}
        named = [columns[name] == value for name, value in told.items() if value is not None]
        late = [] if self.within is None else [columns.created_at >= now - self.within]
        # Of all tenants by name, so that the index by tenant serves them too.
        whose = (
            columns.tenant_id.in_(select(tenants.c.id))
            if tenant_id is None
            else columns.tenant_id == tenant_id
        )
        return and_(DEAD_LETTERS, whose, *named, *late)


ANY = Matching()


def latest(
    tx: Transaction, tenant_id: str | None, which: Matching = ANY, *, limit: int, before: int | None = None
) -> list[HandOff]:
    """The latest ones, of one tenant or of all; `before`, an id, goes on where an earlier call ended."""
    guard = which.of_tenant(tenant_id, tx.now)
    if before is not None:
        guard = and_(guard, hand_offs.c.id < before)
    query = select(hand_offs).where(guard).order_by(hand_offs.c.id.desc()).limit(limit)
    return [read_row(row) for row in tx.execute(query)]


def count(tx: Transaction, tenant_id: str | None, which: Matching = ANY, *, most: int | None = None) -> int:
    """How many there are, of one tenant or of all; counts no further than to `most`."""
    counted = select(hand_offs.c.id).where(which.of_tenant(tenant_id, tx.now)).limit(most).subquery()
    return int(tx.execute(select(func.count()).select_from(counted)).scalar_one())
