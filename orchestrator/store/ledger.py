"""What looking cost and what it would have cost by the gateway's guidance alone: sums by day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields

from sqlalchemy import func, select

from orchestrator.store.database import Transaction
from orchestrator.store.schema import ledger

DAY = 86_400.0


@dataclass(slots=True)
class Sums:
    """Sums over jobs. Lag is in seconds; `lists` counts list requests, which stand for several looks.

    `awaited` are the jobs whose end a webhook was to tell, `rescued` those of them whose end a look told.
    """

    jobs: int = 0
    looks: float = 0.0
    lists: float = 0.0
    guidance_looks: float = 0.0
    lag: float = 0.0
    guidance_lag: float = 0.0
    awaited: int = 0
    rescued: int = 0

    def add(self, other: Sums) -> None:
        """Take another's sums in."""
        for name, value in zip(_NAMES, astuple(other), strict=True):
            setattr(self, name, getattr(self, name) + value)


_NAMES = [field.name for field in fields(Sums)]
Page = tuple[str, str, int]  # tenant, model and day: days since the epoch, in UTC


def day_of(at: float) -> int:
    """The day of a moment."""
    return int(at // DAY)


def add(tx: Transaction, sums: Mapping[Page, Sums]) -> None:
    """Add to what is there, page after page in their order: two who do so at once do not wait in a ring."""
    for (tenant_id, model, day), one in sorted(sums.items(), key=lambda pair: pair[0]):
        values = dict(zip(_NAMES, astuple(one), strict=True))
        row = {"tenant_id": tenant_id, "model": model, "day": day} | values
        more = {name: ledger.c[name] + values[name] for name in _NAMES}
        new = tx.insert(ledger).values(row)
        tx.execute(new.on_conflict_do_update(index_elements=["tenant_id", "model", "day"], set_=more))


def read(tx: Transaction, *, since_day: int, tenant_id: str | None = None) -> dict[Page, Sums]:
    """All pages from a day on; of one tenant or of all."""
    query = select(ledger).where(ledger.c.day >= since_day)
    if tenant_id is not None:
        query = query.where(ledger.c.tenant_id == tenant_id)
    rows = tx.execute(query.order_by(ledger.c.day, ledger.c.tenant_id, ledger.c.model))
    return {
        (row.tenant_id, row.model, row.day): Sums(*(getattr(row, name) for name in _NAMES)) for row in rows
    }


def total(tx: Transaction, *, since_day: int = 0) -> Sums:
    """Over all tenants and models."""
    columns = [func.coalesce(func.sum(ledger.c[name]), 0).label(name) for name in _NAMES]
    row = tx.execute(select(*columns).where(ledger.c.day >= since_day)).one()
    return Sums(*row)
