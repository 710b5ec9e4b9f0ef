"""What was learned, one row for each thing it was learned about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, tuple_, update

from orchestrator.store.database import Transaction
from orchestrator.store.schema import estimates


class EstimateKind(StrEnum):
    """What something was learned about."""

    ANSWERS = "answers"  # when the gateway of an account answered that had been left alone
    ENDINGS = "endings"  # when jobs of a class end
    HOOKS = "hooks"  # how webhooks come over a channel
    LISTS = "lists"  # how fresh the list is for a provider
    OPEN = "open"  # of which classes open jobs are counted
    PROBES = "probes"  # how long an endpoint that fell silent is left alone between two tries
    RECALLS = "recalls"  # how far the jobs of an endpoint that is silent were brought back to the guidance
    RESCUES = "rescues"  # how many ends looks told that followed a plan, and how many it foresaw


# Not what a newer program learns about.
_OURS = estimates.c.kind.in_(list(EstimateKind))


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


def changes_since(tx: Transaction, since: float) -> dict[tuple[EstimateKind, str], float]:
    """What changed at this moment or after it, and when it did last."""
    query = select(estimates.c.kind, estimates.c.name, estimates.c.changed_at)
    rows = tx.execute(query.where(estimates.c.changed_at >= since, _OURS))
    return {(EstimateKind(row.kind), row.name): row.changed_at for row in rows}


def several(
    tx: Transaction, things: Collection[tuple[EstimateKind, str]]
) -> dict[tuple[EstimateKind, str], dict[str, Any]]:
    """What was learned about each of these, where anything was."""
    if not things:
        return {}
    query = select(estimates).where(tuple_(estimates.c.kind, estimates.c.name).in_(list(things)))
    return {(EstimateKind(row.kind), row.name): row.data for row in tx.execute(query)}


def get(tx: Transaction, kind: EstimateKind, name: str) -> dict[str, Any]:
    """What was learned about one thing; empty where nothing was."""
    asked = select(estimates.c.data).where(estimates.c.kind == kind, estimates.c.name == name)
    data: dict[str, Any] | None = tx.execute(asked).scalar()
    return data or {}


def names(tx: Transaction, kind: EstimateKind) -> list[str]:
    """What there is of a kind."""
    query = select(estimates.c.name).where(estimates.c.kind == kind).order_by(estimates.c.name)
    return list(tx.execute(query).scalars())


def of_kind(tx: Transaction, kind: EstimateKind, *, changed_since: float = 0.0) -> dict[str, dict[str, Any]]:
    """All of a kind that changed at that moment or after it, by name."""
    these = select(estimates).where(estimates.c.kind == kind, estimates.c.changed_at >= changed_since)
    rows = tx.execute(these.order_by(estimates.c.name))
    return {row.name: row.data for row in rows}


def healths(tx: Transaction, *, changed_since: float = 0.0) -> dict[str, str]:
    """How each channel of webhooks does that changed since then, by its name: no more is read of so many."""
    health = estimates.c.data["health"].as_string()
    query = select(estimates.c.name, health.label("health")).order_by(estimates.c.name)
    these = (estimates.c.kind == EstimateKind.HOOKS, estimates.c.changed_at >= changed_since)
    rows = tx.execute(query.where(*these, health.is_not(None)))
    return {row.name: row.health for row in rows}


def overdue_endpoints(tx: Transaction, *, expected: float) -> list[str]:
    """Endpoint-wide channels over which, by their rate, so many webhooks should have come since the last."""
    data = estimates.c.data
    since = tx.now - data["last_came_at"].as_float()
    missing = since * data["per_second"].as_float() >= expected
    silent = data["health"].as_string() == "silent"  # it is known already
    query = select(estimates.c.name).where(
        estimates.c.kind == EstimateKind.HOOKS, estimates.c.name.like("%|*"), missing, ~silent
    )
    return list(tx.execute(query.order_by(estimates.c.name)).scalars())


def remove(tx: Transaction, kind: EstimateKind, name: str) -> None:
    """Forget one thing; it is held by `lock`."""
    tx.execute(delete(estimates).where(estimates.c.kind == kind, estimates.c.name == name))


def prune(tx: Transaction, *, before: float) -> int:
    """Forget what nothing was learned about since then."""
    return tx.execute(delete(estimates).where(estimates.c.changed_at < before)).rowcount
