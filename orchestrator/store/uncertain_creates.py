"""Jobs whose create call may or may not have made a paid job: few at any time, oldest first."""

from __future__ import annotations

from sqlalchemy import func, literal_column, select

from orchestrator.core.job import Job
from orchestrator.store.database import Transaction
from orchestrator.store.jobs import read_row
from orchestrator.store.schema import jobs

# Spelled out, since SQLite uses the partial index only for a condition it can read.
_UNCERTAIN = jobs.c.state == literal_column("'uncertain'")


def oldest(
    tx: Transaction, tenant_id: str | None, *, needs_person: bool, limit: int, after: str | None = None
) -> list[Job]:
    """Those of one tenant, or of all, that wait for a person, or that are still searched for by themselves.

    `after`, an id, goes on where an earlier page ended.
    """
    query = select(jobs).where(_UNCERTAIN, jobs.c.needs_person.is_(needs_person))
    if tenant_id is not None:
        query = query.where(jobs.c.tenant_id == tenant_id)
    if after is not None:
        query = query.where(jobs.c.id > after)
    return [read_row(row) for row in tx.execute(query.order_by(jobs.c.id).limit(limit))]


def count(tx: Transaction, tenant_id: str | None, *, needs_person: bool, most: int) -> int:
    """How many there are, counted no further than to `most`."""
    query = select(jobs.c.id).where(_UNCERTAIN, jobs.c.needs_person.is_(needs_person))
    if tenant_id is not None:
        query = query.where(jobs.c.tenant_id == tenant_id)
    return int(tx.execute(select(func.count()).select_from(query.limit(most).subquery())).scalar_one())
