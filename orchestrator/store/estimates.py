"""What was learned, one row for each thing it was learned about."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, update

from orchestrator.store.database import Transaction
from orchestrator.store.schema import estimates


class EstimateKind(StrEnum):
    """What something was learned about."""

    ENDINGS = "endings"  # when jobs of a class end
    HOOKS = "hooks"  # how webhooks come over a channel
    LISTS = "lists"  # how fresh the list is for a provider


def lock(tx: Transaction, kind: EstimateKind, name: str) -> dict[str, Any]:
    """What was learned about it, held until the transaction ends; empty where nothing was.

    Whoever holds several holds them in the order of kind and name.
    """
    row = {"kind": kind, "name": name, "data": {}, "changed_at": tx.now}
    tx.execute(tx.insert(estimates).values(row).on_conflict_do_nothing(index_elements=["kind", "name"]))
    held = select(estimates.c.data).where(estimates.c.kind == kind, estimates.c.name == name)
    data: dict[str, Any] = tx.execute(held.with_for_update()).scalar_one()
    return data


def write(tx: Transaction, kind: EstimateKind, name: str, data: Mapping[str, Any]) -> None:
    """Keep what was learned; it is held by `lock`."""
    these = update(estimates).where(estimates.c.kind == kind, estimates.c.name == name)
    tx.execute(these.values(data=dict(data), changed_at=tx.now))


def changed_since(tx: Transaction, since: float) -> dict[tuple[EstimateKind, str], dict[str, Any]]:
    """All that changed at this moment or after it."""
    rows = tx.execute(select(estimates).where(estimates.c.changed_at >= since))
    return {(EstimateKind(row.kind), row.name): row.data for row in rows}


def get(tx: Transaction, kind: EstimateKind, name: str) -> dict[str, Any]:
    """What was learned about one thing; empty where nothing was."""
    asked = select(estimates.c.data).where(estimates.c.kind == kind, estimates.c.name == name)
    data: dict[str, Any] | None = tx.execute(asked).scalar()
    return data or {}


def of_kind(tx: Transaction, kind: EstimateKind) -> dict[str, dict[str, Any]]:
    """All of a kind, by name."""
    rows = tx.execute(select(estimates).where(estimates.c.kind == kind).order_by(estimates.c.name))
    return {row.name: row.data for row in rows}


def prune(tx: Transaction, *, before: float) -> int:
    """Forget what nothing was learned about since then."""
    return tx.execute(delete(estimates).where(estimates.c.changed_at < before)).rowcount
