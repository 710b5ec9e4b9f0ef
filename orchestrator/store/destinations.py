"""Destinations that fail: after some failures in a row nothing is taken there but one try now and then.

The rows are shared by all workers: what one of them finds out spares the others, and one of them tries.
A row is gone with the first thing that arrives. One that wants nothing any more is disabled, and stays so
until a person enables it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, exists, or_, select, update

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE
from orchestrator.store.database import Transaction
from orchestrator.store.schema import HAND_OFFS_DUE, destinations, hand_offs, lanes


@dataclass(frozen=True, slots=True)
class Failing:
    """A destination that failed the last time; shut where `shut_until` is set, be it past."""

    name: str
    failures: int
    pause: float
    shut_until: float | None
    trying: str | None
    reason: str
    disabled_at: float | None = None

    def left_out(self, now: float) -> bool:
        """Whether nothing is to be taken there at the moment."""
        return self.disabled_at is not None or (self.shut_until is not None and self.shut_until > now)


_ALL = select(destinations)


def failing(tx: Transaction) -> dict[str, Failing]:
    """All that failed the last time, by name. `trying`: the key of the hand-off that is the one try."""
    return {row.name: Failing(**row._mapping) for row in tx.execute(_ALL)}


def left_out(tx: Transaction) -> set[str]:
    """Destinations that nothing is to be taken to at the moment."""
    return {name for name, one in failing(tx).items() if one.left_out(tx.now)}


def try_if_still_shut(tx: Transaction, failing: Failing, key: str) -> bool:
    """Take the one try after a pause; False while it lasts, and when another hand-off is it."""
    # It may have been shut a moment ago, by another worker, when this one had asked which are.
    over = destinations.c.shut_until <= tx.now
    guard = (destinations.c.name == failing.name, destinations.c.shut_until == failing.shut_until, over)
    # If nothing comes of this try, another one follows after the same pause.
    values = {"shut_until": tx.now + failing.pause, "trying": key}
    return tx.execute(update(destinations).where(*guard).values(**values)).rowcount == 1


def failed(tx: Transaction, name: str, key: str, reason: str, *, after: float = 0.0) -> bool:
    """Count a failure: the fifth in a row shuts it, that of a try doubles the pause. Returns whether it shut.

    Those of hand-offs that were already under way when it was shut lengthen nothing. `after`: for how many
    seconds it asked to be left alone.
    """
    first = {"name": name, "failures": 1, "pause": FIRST_PAUSE, "reason": reason}
    statement = tx.insert(destinations).values(**first)
    again = {"failures": destinations.c.failures + 1, "reason": reason}
    counted = statement.on_conflict_do_update(index_elements=["name"], set_=again).returning(*destinations.c)
    row = tx.execute(counted).one()
    shuts = row.shut_until is None and row.failures >= FAILURES_TO_OPEN
    if shuts or row.trying == key:
        pause = row.pause if shuts else min(2 * row.pause, LONGEST_PAUSE)
        values = {"pause": pause, "shut_until": tx.now + max(pause, after), "trying": None}
        tx.execute(update(destinations).where(destinations.c.name == name).values(**values))
    return shuts


def worked(tx: Transaction, name: str) -> bool:
    """Forget earlier failures. Returns whether it had been shut."""
    # What was under way when it was disabled may still have arrived.
    guard = (destinations.c.name == name, destinations.c.disabled_at.is_(None))
    row = tx.execute(delete(destinations).where(*guard).returning(destinations.c.shut_until)).first()
    return row is not None and row.shut_until is not None


def forget(tx: Transaction, *, before: float) -> int:
    """Remove those that nobody tried since then and that nothing is owed to any more. Returns how many."""
    due = exists().where(hand_offs.c.lane == lanes.c.id, HAND_OFFS_DUE).correlate(lanes)
    owed = exists().where(lanes.c.destination == destinations.c.name, due)
    old = (destinations.c.shut_until < before, destinations.c.disabled_at.is_(None))
    return tx.execute(delete(destinations).where(*old, ~owed)).rowcount


def disable(tx: Transaction, name: str, reason: str) -> bool:
    """Take nothing there until a person enables it. Returns whether that is new."""
    first = {"name": name, "failures": 1, "pause": FIRST_PAUSE, "reason": reason, "disabled_at": tx.now}
    statement = tx.insert(destinations).values(**first)
    again = {"reason": reason, "disabled_at": tx.now}
    new = statement.on_conflict_do_update(
        index_elements=["name"], set_=again, where=destinations.c.disabled_at.is_(None)
    )
    return len(tx.execute(new.returning(destinations.c.name)).all()) == 1


def enable(tx: Transaction, name: str) -> bool:
    """Take there again what is owed, at once. False if it was neither disabled nor shut."""
    out = or_(destinations.c.shut_until.is_not(None), destinations.c.disabled_at.is_not(None))
    return tx.execute(delete(destinations).where(destinations.c.name == name, out)).rowcount == 1
