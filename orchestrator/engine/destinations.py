"""Where hand-offs may be taken now: a destination that fails or hangs does not hold up the others."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from orchestrator.core.job import HandOff
from orchestrator.engine.context import Context
from orchestrator.errors import DestinationError, OrchestratorError
from orchestrator.store import destinations, hand_offs
from orchestrator.store.database import Transaction
from orchestrator.telemetry import Event, log


class Claim:
    """The hand-off that one thread works on."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._place: str | None = None

    def take(self, tx: Transaction, *, lease: float) -> HandOff | None:
        """Claim what is due longest, to a destination that is neither shut nor has enough under way."""
        most = self._context.most_to_one_destination
        without = destinations.left_out(tx) | self._context.places.full(most)
        while not nowhere_to_go(self._context, without):
            claimed = hand_offs.claim_due(
                tx, worker=self._context.worker, lease=lease, turns=self._context.turns, without=without
            )
            if claimed is None or self._may_go(tx, claimed, most):
                return claimed
            # Another thread was faster; that this one was claimed at all is taken back.
            hand_offs.finish_if_ours(tx, claimed, {"attempts": claimed.attempts - 1})
            without.add(claimed.destination)
        return None

    def _may_go(self, tx: Transaction, claimed: HandOff, most: int) -> bool:
        if not self._context.places.take(claimed.destination, most):
            return False
        self._place = claimed.destination
        shut = destinations.shut(tx, claimed.destination)
        if shut is None or destinations.try_if_still_shut(tx, shut, claimed.key):
            return True
        self.leave()
        return False

    def leave(self) -> None:
        """The work is over, or never began."""
        if self._place is not None:
            self._context.places.give_back(self._place)
            self._place = None


def nowhere_to_go(context: Context, without: Collection[str]) -> bool:
    """Whether every destination is left out: looking for a hand-off would read past all that is owed."""
    return bool(context.sinks) and context.sinks.keys() <= set(without)


@contextmanager
def claiming(context: Context) -> Iterator[Claim]:
    """One hand-off may be claimed; its place at the destination is free again in the end."""
    claim = Claim(context)
    try:
        yield claim
    finally:
        claim.leave()


def failed(tx: Transaction, claimed: HandOff, error: OrchestratorError) -> None:
    """Count an attempt that failed for the destination's sake."""
    # What can never be delivered says nothing about the next one.
    if not isinstance(error, DestinationError) or not error.retry.again:
        return
    if destinations.failed(tx, claimed.destination, claimed.key, error.message):
        facts = {"destination": claimed.destination, "error": error.message, "hint": error.hint}
        tx.after_commit.append(lambda: log(Event.DESTINATION_SHUT, level=logging.ERROR, **facts))


def worked(tx: Transaction, claimed: HandOff) -> None:
    """Something arrived there."""
    if destinations.worked(tx, claimed.destination):
        opened = claimed.destination
        tx.after_commit.append(lambda: log(Event.DESTINATION_OPEN, level=logging.WARNING, destination=opened))
