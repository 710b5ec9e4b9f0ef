"""Bugs about what comes in, and about when messages go out."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from orchestrator.core.job import Job, Observation
from orchestrator.engine import create, observe, receive, sweep, take
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.take import Chosen, Fate, Receipt
from orchestrator.simulation import world
from orchestrator.simulation.invariants import Invariant
from orchestrator.simulation.process import Process
from orchestrator.simulation.scheduler import running
from orchestrator.store import inbox
from orchestrator.store.database import Transaction
from tests.simulation.planted.bug import bug


def inbox_dedupe_removed() -> AbstractContextManager[object]:
    """Each delivery of an event is an event of its own: its unique key is not used."""
    real = inbox.remember_all_once

    def remember(tx: Transaction, entries: Sequence[Mapping[str, Any]]) -> list[tuple[int, bool]]:
        return real(tx, [{**one, "event_key": f"{one['event_key']} at {tx.now}"} for one in entries])

    return patch.object(inbox, "remember_all_once", remember)


def every_delivery_is_the_first() -> AbstractContextManager[object]:
    """An event is kept once, and counts each time it is delivered."""
    real = inbox.remember_all_once

    def remember(tx: Transaction, entries: Sequence[Mapping[str, Any]]) -> list[tuple[int, bool]]:
        return [(entry_id, True) for entry_id, _ in real(tx, entries)]

    return patch.object(inbox, "remember_all_once", remember)


def unknown_jobs_dropped() -> AbstractContextManager[object]:
    """A webhook of a job that nobody knows is answered, and forgotten."""
    real = take.take_all

    def take_all(context: Context, tx: Transaction, chosen: Chosen) -> list[Receipt]:
        known = all(job is not None for _, job in chosen)
        return real(context, tx, chosen) if known else [Receipt(Fate.WAITING)]

    return patch.object(receive, "take_all", take_all)


@contextmanager
def early_ones_never_matched() -> Iterator[None]:
    """A webhook that came before its job was known waits for ever."""
    with (
        patch.object(observe, "_take_early", lambda *_: []),
        patch.object(sweep, "_unmatched", lambda tx, *, limit: []),
        # Without the bug it is over long before that, and five hours of sweeps take ten seconds to pretend.
        patch.object(world, "ENDS_WITHIN", 1_200.0),
    ):
        yield


@contextmanager
def follow_up_sent_before_commit() -> Iterator[None]:
    """What is to happen next is sent while the transaction that makes it true is still open."""

    def send(follow_ups: list[FollowUp]) -> list[FollowUp]:
        process = running().owner
        assert isinstance(process, Process)
        process.send(follow_ups)
        return []

    def observe_held_and_send(
        context: Context, tx: Transaction, told: Sequence[tuple[Job, Observation]]
    ) -> list[list[FollowUp]]:
        return [send(one) for one in observe.observe_held(context, tx, told)]

    with (
        patch.object(create, "observe_held", observe_held_and_send),
        patch.object(take, "observe_held", observe_held_and_send),
    ):
        yield


BUGS = (
    bug("inbox dedupe removed", inbox_dedupe_removed, Invariant.EVENT_ONCE, seed=22),
    bug("every delivery counts as the first", every_delivery_is_the_first, Invariant.EVENT_ONCE, seed=22),
    bug("webhooks of unknown jobs dropped", unknown_jobs_dropped, Invariant.KEPT_BEFORE_ACK, seed=32),
    bug("early webhooks never matched", early_ones_never_matched, Invariant.ENDS, seed=2),
    bug("follow-up sent before commit", follow_up_sent_before_commit, Invariant.SENT_AFTER_COMMIT),
)
