"""What the gateway said that its contract does not foresee: a row for each word, with how often it came.

Few rows, whatever comes: beyond `MOST` names what is new is counted together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, func, select, tuple_

from orchestrator.core.drift import Drift, DriftKind, Place
from orchestrator.store.database import Transaction
from orchestrator.store.schema import drift

MOST = 500  # names that are told apart
_KEY = (drift.c.kind, drift.c.place, drift.c.name)


@dataclass(frozen=True, slots=True)
class Folded:
    """How often something was seen since it was last written, and the latest sample and request id of it."""

    times: int
    sample: str | None
    request_id: str | None

    def and_then(self, later: Folded) -> Folded:
        """Both together."""
        return Folded(
            self.times + later.times,
            self.sample if later.sample is None else later.sample,
            later.request_id or self.request_id,
        )


@dataclass(frozen=True, slots=True)
class Known:
    """One thing as it is kept. Times in epoch seconds; `request_id` names one of the requests that had it."""

    kind: DriftKind
    place: Place
    name: str
    times: int
    first_at: float
    last_at: float
    sample: str | None
    request_id: str | None


def add(tx: Transaction, seen: Mapping[Drift, Folded]) -> list[Drift]:
    """Count what was seen. Returns what was never seen before, or not since it was forgotten."""
    counted = _bounded(tx, seen)
    before = _there(tx, counted)
    rows = [
        {
            "kind": one.kind,
            "place": one.place,
            "name": one.name,
            "times": folded.times,
            "first_at": tx.now,
            "last_at": tx.now,
            "sample": folded.sample,
            "request_id": folded.request_id,
        }
        # Whoever writes several holds them in one order.
        for one, folded in sorted(counted.items(), key=lambda pair: _key(pair[0]))
    ]
    if not rows:
        return []
    statement = tx.insert(drift).values(rows)
    new = statement.excluded
    again = {
        "times": drift.c.times + new.times,
        "last_at": new.last_at,
        "sample": func.coalesce(new.sample, drift.c.sample),
        "request_id": func.coalesce(new.request_id, drift.c.request_id),
    }
    tx.execute(statement.on_conflict_do_update(index_elements=[one.name for one in _KEY], set_=again))
    return [one for one in counted if one not in before]


def every(tx: Transaction, *, since: float = 0.0) -> list[Known]:
    """All that was seen since then, the latest first."""
    query = select(drift).where(drift.c.last_at >= since).order_by(drift.c.last_at.desc(), *_KEY)
    enums = {"kind": DriftKind, "place": Place}
    rows = (dict(row._mapping) for row in tx.execute(query))
    return [Known(**row | {name: enum(row[name]) for name, enum in enums.items()}) for row in rows]


def forget(tx: Transaction, *, name: str | None = None) -> int:
    """Forget what has this name, or everything: seen again, it is news again. Returns how many."""
    these = delete(drift) if name is None else delete(drift).where(drift.c.name == name)
    return tx.execute(these).rowcount


def prune(tx: Transaction, *, before: float) -> int:
    """Forget what was not seen since then."""
    return tx.execute(delete(drift).where(drift.c.last_at < before)).rowcount


def _bounded(tx: Transaction, seen: Mapping[Drift, Folded]) -> dict[Drift, Folded]:
    """The same, with so few new names that the table stays small."""
    before = _there(tx, seen)
    room = MOST - tx.execute(select(func.count()).select_from(drift)).scalar_one()
    counted: dict[Drift, Folded] = {}
    for one, folded in sorted(seen.items(), key=lambda pair: _key(pair[0])):
        room -= one not in before
        kept = one if one in before or room >= 0 else one.of_others
        counted[kept] = counted[kept].and_then(folded) if kept in counted else folded
    return counted


def _there(tx: Transaction, some: Collection[Drift]) -> set[Drift]:
    if not some:
        return set()
    these = tuple_(*_KEY).in_([_key(one) for one in some])
    rows = tx.execute(select(*_KEY).where(these))
    return {Drift(DriftKind(row.kind), Place(row.place), row.name) for row in rows}


def _key(one: Drift) -> tuple[str, str, str]:
    return str(one.kind), str(one.place), one.name
