"""Destinations that were added by command. The secrets of each are one encrypted token; no key is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, select, update

from orchestrator.core.job import HandOffState
from orchestrator.store.database import Transaction
from orchestrator.store.schema import configured_destinations, hand_offs

_JUST = 0.001  # seconds; two changes of one moment are told apart by it


@dataclass(frozen=True, slots=True)
class Entry:
    """One destination. `settings` is everything about it but its secrets."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    secrets: str | None = field(repr=False)
    changed_at: float


def every(tx: Transaction) -> list[Entry]:
    """All of them, by name."""
    query = select(configured_destinations).order_by(configured_destinations.c.name)
    return [Entry(**row._mapping) for row in tx.execute(query)]


def get(tx: Transaction, name: str) -> Entry | None:
    """The one of this name."""
    query = select(configured_destinations).where(configured_destinations.c.name == name)
    row = tx.execute(query).first()
    return Entry(**row._mapping) if row else None


def add_once(tx: Transaction, name: str, kind: str, settings: Mapping[str, Any], secrets: str | None) -> bool:
    """Keep a new one. False: there is one of this name, which stays as it is."""
    values = {"name": name, "kind": kind, "settings": dict(settings), "secrets": secrets}
    statement = tx.insert(configured_destinations).values(**values, changed_at=tx.now)
    added = statement.on_conflict_do_nothing(index_elements=["name"]).returning(
        configured_destinations.c.name
    )
    return tx.execute(added).first() is not None


def replace(tx: Transaction, name: str, kind: str, settings: Mapping[str, Any], secrets: str | None) -> bool:
    """Change everything about one; its `changed_at` grows in any case. False: there is none."""
    kept = configured_destinations.c.changed_at
    grown = func.max(kept + _JUST, tx.now) if _is_sqlite(tx) else func.greatest(kept + _JUST, tx.now)
    values = {"kind": kind, "settings": dict(settings), "secrets": secrets, "changed_at": grown}
    statement = update(configured_destinations).where(configured_destinations.c.name == name)
    return tx.execute(statement.values(**values)).rowcount == 1


def remove(tx: Transaction, name: str) -> bool:
    """Forget one. False: there was none."""
    gone = delete(configured_destinations).where(configured_destinations.c.name == name)
    return tx.execute(gone).rowcount == 1


def reseal_if_still(tx: Transaction, entry: Entry, secrets: str) -> bool:
    """Put another token of the same secrets in the place of the one that was read. It counts as no change."""
    still = (configured_destinations.c.name == entry.name, configured_destinations.c.secrets == entry.secrets)
    return tx.execute(update(configured_destinations).where(*still).values(secrets=secrets)).rowcount == 1


def owed(tx: Transaction, name: str) -> int:
    """How many hand-offs are owed there, due or not."""
    there = (hand_offs.c.destination == name, hand_offs.c.state == HandOffState.OWED)
    return int(tx.execute(select(func.count()).select_from(hand_offs).where(*there)).scalar_one())


def _is_sqlite(tx: Transaction) -> bool:
    return tx.dialect == "sqlite"
