"""Sessions of browsers in which somebody signed in: each stands for the API key that it was begun with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from orchestrator.store import api_keys
from orchestrator.store.database import Transaction
from orchestrator.store.schema import sessions

PART = 1_000  # rows that one pruning removes at most


@dataclass(frozen=True, slots=True)
class Session:
    """A session, without its secret. Times by the database's clock."""

    id: str
    key_id: str
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Holder:
    """A session with what proves it, and the key that it stands for."""

    session: Session
    digest: bytes
    by_key: api_keys.Holder


_READ = tuple(sessions.c[name] for name in Session.__dataclass_fields__)


def add(tx: Transaction, session: Session, digest: bytes) -> None:
    """Keep a new session."""
    row = {name: getattr(session, name) for name in Session.__dataclass_fields__}
    tx.execute(insert(sessions).values(**row, digest=digest))


def holder(tx: Transaction, session_id: str) -> Holder | None:
    """Whoever has this session, if there is one; it or its key may have ended."""
    row = tx.execute(select(*_READ, sessions.c.digest).where(sessions.c.id == session_id)).first()
    by_key = api_keys.holder(tx, row.key_id) if row else None
    if row is None or by_key is None:
        return None
    session = Session(**{name: getattr(row, name) for name in Session.__dataclass_fields__})
    return Holder(session, bytes(row.digest), by_key)


def remove(tx: Transaction, session_id: str) -> bool:
    """End a session. False where there is none such."""
    return tx.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount == 1


def prune(tx: Transaction, *, before: float) -> int:
    """Remove some of those that had expired by then. Returns how many."""
    old = select(sessions.c.id).where(sessions.c.expires_at < before).limit(PART)
    return tx.execute(delete(sessions).where(sessions.c.id.in_(old))).rowcount
