"""What each Idempotency-Key was used for, so that the same request makes nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, tuple_

from orchestrator.store.database import Transaction
from orchestrator.store.schema import idempotency


@dataclass(frozen=True, slots=True)
class Used:
    """What a key was used for first; `fingerprint` is the SHA-256 of what was asked."""

    fingerprint: str
    job_ids: tuple[str, ...]


def use_once(tx: Transaction, tenant_id: str, key: str, fingerprint: str, job_ids: Sequence[str]) -> bool:
    """Take the key for these jobs, in the transaction that keeps them; False where it is taken.

    One that another transaction is about to take is waited for: it is taken once that one commits.
    """
    values = {"tenant_id": tenant_id, "key": key, "fingerprint": fingerprint, "job_ids": list(job_ids)}
    statement = tx.insert(idempotency).values(**values, created_at=tx.now)
    taken = statement.on_conflict_do_nothing(index_elements=["tenant_id", "key"])
    return tx.execute(taken.returning(idempotency.c.key)).first() is not None


def get(tx: Transaction, tenant_id: str, key: str) -> Used | None:
    """What the tenant used this key for, or None."""
    where = idempotency.c.tenant_id == tenant_id, idempotency.c.key == key
    row = tx.execute(select(idempotency.c.fingerprint, idempotency.c.job_ids).where(*where)).first()
    return Used(row.fingerprint, tuple(row.job_ids)) if row else None


def prune(tx: Transaction, *, before: float, limit: int = 5_000) -> int:
    """Forget keys that were used before a moment. Returns how many."""
    columns = idempotency.c
    old = select(columns.tenant_id, columns.key).where(columns.created_at < before).limit(limit)
    return tx.execute(delete(idempotency).where(tuple_(columns.tenant_id, columns.key).in_(old))).rowcount
