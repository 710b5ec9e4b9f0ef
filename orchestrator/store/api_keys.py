"""API keys: who calls. Of each only the digest of its secret is kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, or_, select, update

from orchestrator.core.access import Caller, Scope
from orchestrator.store.database import Transaction
from orchestrator.store.schema import api_keys, tenants

USE_NOTED_EVERY = 60.0  # seconds: a write for each request would cost more than the request


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without its secret. Times are epoch seconds by the database's clock."""

    id: str
    tenant_id: str
    name: str
    scopes: frozenset[Scope]
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None

    def ended(self, now: float) -> str | None:
        """Why it is good for nothing any more, if so."""
        if self.revoked_at is not None:
            return "was revoked"
        return "has expired" if self.expires_at is not None and self.expires_at <= now else None


@dataclass(frozen=True, slots=True)
class Holder:
    """A key with what proves it, and what is to be known of its tenant for every request."""

    key: ApiKey
    digest: bytes
    caller: Caller


_READ = tuple(api_keys.c[name] for name in ApiKey.__dataclass_fields__)


def add(tx: Transaction, key: ApiKey, digest: bytes) -> None:
    """Keep a new key."""
    row = {name: getattr(key, name) for name in ApiKey.__dataclass_fields__}
    tx.execute(insert(api_keys).values(**row | {"scopes": sorted(key.scopes), "digest": digest}))


def holder(tx: Transaction, key_id: str) -> Holder | None:
    """Whoever has this key, if there is one; it may have ended."""
    query = (
        select(*_READ, api_keys.c.digest, tenants.c.requests_per_minute)
        .join(tenants, tenants.c.id == api_keys.c.tenant_id)
        .where(api_keys.c.id == key_id)
    )
    row = tx.execute(query).first()
    if row is None:
        return None
    key = _key(row)
    caller = Caller(
        key.id, key.tenant_id, key.scopes, name=key.name, requests_per_minute=row.requests_per_minute
    )
    return Holder(key, bytes(row.digest), caller)


def of_tenant(tx: Transaction, tenant_id: str | None) -> list[ApiKey]:
    """The keys of one tenant, or of all: the newest last, also those that ended."""
    query = select(*_READ).order_by(api_keys.c.created_at, api_keys.c.id)
    if tenant_id is not None:
        query = query.where(api_keys.c.tenant_id == tenant_id)
    return [_key(row) for row in tx.execute(query)]


def revoke_if_live(tx: Transaction, key_id: str, tenant_id: str | None) -> ApiKey | None:
    """End a key, of this tenant or of any. It is returned as it is then; None where there is none.

    One that was revoked already keeps the time of that.
    """
    mine = [api_keys.c.id == key_id]
    if tenant_id is not None:
        mine.append(api_keys.c.tenant_id == tenant_id)
    tx.execute(update(api_keys).where(*mine, api_keys.c.revoked_at.is_(None)).values(revoked_at=tx.now))
    row = tx.execute(select(*_READ).where(*mine)).first()
    return _key(row) if row else None


def note_use(tx: Transaction, key_ids: Collection[str]) -> int:
    """They are used now; those of which that is known since a minute ago are left as they are."""
    old = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= tx.now - USE_NOTED_EVERY)
    theirs = update(api_keys).where(api_keys.c.id.in_(key_ids), old)
    return tx.execute(theirs.values(last_used_at=tx.now)).rowcount


def _key(row: Row[Any]) -> ApiKey:
    facts = {name: getattr(row, name) for name in ApiKey.__dataclass_fields__}
    return ApiKey(**facts | {"scopes": frozenset(map(Scope, row.scopes))})
