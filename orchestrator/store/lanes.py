"""Lanes: the lines in which hand-offs wait, one for each place of each tenant."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.core.job import Job
from orchestrator.core.routes import lane_of, lanes_of
from orchestrator.store.database import Transaction
from orchestrator.store.schema import lanes

MOST_KNOWN = 1_000  # lanes that one connection remembers
_KNOWN = "lanes"  # where it does


def open_for(tx: Transaction, jobs: Iterable[Job]) -> None:
    """Make those that the hand-offs of these jobs will wait in, where they are not there yet.

    Before anything else is held, and in one order: whoever opens the same lane at the same time waits for us.
    """
    wanted = {(job.tenant_id, name) for job in jobs for name in lanes_of(job.destinations)}
    # A lane stays, so nobody looks twice; but another server's, or a restored one, comes by a new connection.
    known: set[tuple[str, str]] = tx.connection.info.setdefault(_KNOWN, set())
    if wanted <= known:
        return
    for tenant_id, name in sorted(wanted):
        made = tx.insert(lanes).values(id=lane_of(tenant_id, name), tenant_id=tenant_id, destination=name)
        tx.execute(made.on_conflict_do_nothing(index_elements=["id"]))
    if len(known) < MOST_KNOWN:
        tx.after_commit.append(lambda: known.update(wanted))


def forget(tx: Transaction) -> None:
    """For whoever removes them all."""
    tx.connection.info.pop(_KNOWN, None)
