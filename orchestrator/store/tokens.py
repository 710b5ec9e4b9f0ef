"""Come-back tokens: each lets a browser follow one job, or the jobs of one end user."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from orchestrator.core.access import Caller, Scope
from orchestrator.store.database import Transaction
from orchestrator.store.schema import tenants, tokens

PART = 1_000  # rows that one pruning removes at most


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret: for one job or for one end user. Times by the database's clock."""

    id: str
    tenant_id: str
    job_id: str | None
    end_user: str | None
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Holder:
    """A token with what proves it, and what is to be known of its tenant for every request."""

    token: Token
    digest: bytes
    caller: Caller


_READ = tuple(tokens.c[name] for name in Token.__dataclass_fields__)


def add(tx: Transaction, token: Token, digest: bytes) -> None:
    """Keep a new token."""
    row = {name: getattr(token, name) for name in Token.__dataclass_fields__}
    tx.execute(insert(tokens).values(**row, digest=digest))


def holder(tx: Transaction, token_id: str) -> Holder | None:
    """Whoever has this token, if there is one; it may have expired."""
    query = (
        select(*_READ, tokens.c.digest, tenants.c.allowed_origins, tenants.c.requests_per_minute)
        .join(tenants, tenants.c.id == tokens.c.tenant_id)
        .where(tokens.c.id == token_id)
    )
    row = tx.execute(query).first()
    if row is None:
        return None
    token = Token(**{name: getattr(row, name) for name in Token.__dataclass_fields__})
    caller = Caller(
        token.id,
        token.tenant_id,
        frozenset({Scope.READ}),
        job_id=token.job_id,
        end_user=token.end_user,
        allowed_origins=tuple(row.allowed_origins or ()),
        requests_per_minute=row.requests_per_minute,
    )
    return Holder(token, bytes(row.digest), caller)


def remove(tx: Transaction, token_id: str, tenant_id: str) -> bool:
    """End a token of this tenant. False where it has none such."""
    mine = (tokens.c.id == token_id, tokens.c.tenant_id == tenant_id)
    return tx.execute(delete(tokens).where(*mine)).rowcount == 1


def prune(tx: Transaction, *, before: float) -> int:
    """Remove some of those that had expired by then. Returns how many."""
    old = select(tokens.c.id).where(tokens.c.expires_at < before).limit(PART)
    return tx.execute(delete(tokens).where(tokens.c.id.in_(old))).rowcount
