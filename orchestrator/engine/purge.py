"""Removing what is kept for long enough: outputs from the archive, whole jobs, and content nobody is of."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.engine.context import Context
from orchestrator.errors import DestinationError
from orchestrator.store import archived, retention
from orchestrator.store.database import Transaction
from orchestrator.store.retention import Found

DAY = 86_400.0
PARTS = 10_000  # of one purge at most, each in a transaction of its own
AT_ONCE = 100  # pieces of content that are looked up together


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be removed: of jobs settled in these states, so many seconds ago or longer."""

    older_than: float
    states: Collection[State] = SETTLED


def preview_outputs(context: Context, wanted: Wanted) -> Found:
    """What `purge_outputs` would remove now."""
    with context.store.read() as tx:
        return retention.count_outputs(tx, before=tx.now - wanted.older_than, states=wanted.states)


def purge_outputs(context: Context, wanted: Wanted, *, parts: int = PARTS) -> int:
    """Note outputs as purged; `remove_unused` removes their content. Returns how many."""
    return in_parts(
        context,
        parts,
        lambda tx: retention.purge_outputs(tx, before=tx.now - wanted.older_than, states=wanted.states),
    )


def preview_jobs(context: Context, wanted: Wanted) -> Found:
    """How many jobs `purge_jobs` would remove now."""
    with context.store.read() as tx:
        return retention.count_jobs(tx, before=tx.now - _age(context, wanted), states=wanted.states)


def purge_jobs(context: Context, wanted: Wanted, *, parts: int = PARTS) -> int:
    """Remove jobs with everything about them but their content, which is unused then. Returns how many."""
    age = _age(context, wanted)
    return in_parts(
        context, parts, lambda tx: retention.purge_jobs(tx, before=tx.now - age, states=wanted.states)
    )


def remove_unused(context: Context, *, parts: int = PARTS) -> int:
    """Remove content that no output is of any more. Returns how much. Raises DestinationError."""
    removed, after = 0, ""
    for _ in range(parts):
        with context.store.read() as tx:
            found = archived.unused(tx, limit=AT_ONCE, after=after)
        if not found:
            break
        for after in found:
            removed += _remove(context, after)
    return removed


def in_parts(context: Context, parts: int, step: Callable[[Transaction], int]) -> int:
    """Take a step in a transaction of its own again and again, until one finds nothing. Returns the sum."""
    gone = 0
    for _ in range(parts):
        with context.store.write(durable=False) as tx:
            some = step(tx)
        gone += some
        if not some:
            break
    return gone


def tidy(context: Context, *, older_than: float) -> int:
    """Remove what attempts at the archive left behind that nobody follows up. Returns how much."""
    with context.store.read() as tx:
        before = tx.now - older_than
    try:
        return context.archive.tidy(before)
    except DestinationError:
        return 0  # whoever brings something there says what is wrong with it


def _remove(context: Context, sha256: str) -> bool:
    # In one transaction with the row: whoever keeps the same content anew waits, and then finds no row.
    with context.store.write() as tx:
        if not archived.take_out(tx, sha256):
            return False
        context.archive.remove(sha256)
        return True


def _age(context: Context, wanted: Wanted) -> float:
    """A job's cost counts for the spend cap as long as its window reaches."""
    window = context.settings.spend_window_days * DAY if context.settings.spend_cap_usd else 0.0
    return max(wanted.older_than, window)
