"""Where hand-offs may be taken now: a destination that fails or hangs does not hold up the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from orchestrator.core.job import HandOff
from orchestrator.core.routes import ARCHIVE
from orchestrator.engine import unkept
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.errors import DestinationError, DestinationGone, NotAllowed, OrchestratorError
from orchestrator.store import destinations, hand_offs
from orchestrator.store.database import Transaction
from orchestrator.store.destinations import Failing
from orchestrator.telemetry import Event, log


class Claim:
    """The hand-off that one thread works on."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._place: str | None = None
        self._failing: Mapping[str, Failing] = {}

    def take(self, tx: Transaction, *, lease: float) -> HandOff | None:
        """Claim what is due longest, to a destination that is neither shut nor has enough under way."""
        self._failing = destinations.failing(tx)
        left_out = {name for name, one in self._failing.items() if one.left_out(tx.now)}
        without = left_out | self._context.places.full(self._context.most_at_once)
        while True:
            claimed = hand_offs.claim_due(
                tx, worker=self._context.worker, lease=lease, turns=self._context.turns, without=without
            )
            if claimed is None or self._may_go(tx, claimed):
                return claimed
            # Another thread was faster; that this one was claimed at all is taken back.
            hand_offs.finish_if_ours(tx, claimed, {"attempts": claimed.attempts - 1})
            without.add(claimed.destination)

    def enter(self, claimed: HandOff) -> bool:
        """Take a place for one that is claimed; False where enough are under way there."""
        most = self._context.most_at_once(claimed.destination)
        if not self._context.places.take(claimed.destination, most):
            return False
        self._place = claimed.destination
        return True

    def _may_go(self, tx: Transaction, claimed: HandOff) -> bool:
        if not self.enter(claimed):
            return False
        known = self._failing.get(claimed.destination)
        if known is None or known.shut_until is None:
            return True
        if destinations.try_if_still_shut(tx, known, claimed.key):
            return True
        self.leave()
        return False

    def worked(self, tx: Transaction, claimed: HandOff) -> None:
        """Something arrived there: failures before this attempt are forgotten."""
        if claimed.destination in self._failing and destinations.worked(tx, claimed.destination):
            opened = claimed.destination
            tx.after_commit.append(
                lambda: log(Event.DESTINATION_OPEN, level=logging.WARNING, destination=opened)
            )

    def leave(self) -> None:
        """The work is over, or never began."""
        if self._place is not None:
            self._context.places.give_back(self._place)
            self._place = None


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
    facts = {"destination": claimed.destination, "error": error.message, "hint": error.hint}
    if isinstance(error, DestinationGone):
        if destinations.disable(tx, claimed.destination, error.message):
            tx.after_commit.append(lambda: log(Event.DESTINATION_DISABLED, level=logging.ERROR, **facts))
    elif destinations.failed(tx, claimed.destination, claimed.key, error.message, after=error.retry.after):
        tx.after_commit.append(lambda: log(Event.DESTINATION_SHUT, level=logging.ERROR, **facts))


def enable(context: Context, name: str) -> list[FollowUp]:
    """Take there again what is owed, at once: a person says that it works. Raises NotAllowed."""
    with context.store.write() as tx:
        if not destinations.enable(tx, name):
            raise NotAllowed(f"{name} is neither disabled nor shut", hint="`orchestrator destinations list`")
    log(Event.DESTINATION_OPEN, level=logging.WARNING, destination=name)
    return [FollowUp(Task.HAND_OFF)]


def probes(context: Context) -> dict[str, Callable[[], None]]:
    """What a process that starts asks the places that files are brought to, by name.

    Those that take messages are left alone: a probe would be one more message there, at every start.
    """
    files = {name: one.sink.check for name, one in context.destinations.items() if one.sink.takes_files}
    kept = {ARCHIVE: context.archive.check} if context.settings.keep_outputs else {}
    return kept | files


def require_fit(context: Context) -> None:
    """Raise SettingError where a destination, be it added by command, is not one for this installation."""
    if not context.settings.keep_outputs:
        unkept.require_told_only(one.route for one in context.destinations.values())
