"""Bugs about what comes in, and about when messages go out."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from orchestrator.core.job import Observation
from orchestrator.engine import create, observe, receive, sweep
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.receive import Fate, Receipt
from orchestrator.gateway.webhooks import Delivery
from orchestrator.simulation import world
from orchestrator.simulation.invariants import Invariant
from orchestrator.simulation.process import Process
from orchestrator.simulation.scheduler import running
from orchestrator.store import inbox
from orchestrator.store.database import Transaction
from tests.simulation.planted.bug import bug


def inbox_dedupe_removed() -> AbstractContextManager[object]:
    """Each delivery of an event is an event of its own: its unique key is not used."""
    real = inbox.remember_once

    def remember(tx: Transaction, entry: Mapping[str, Any]) -> tuple[int, bool]:
        return real(tx, {**entry, "event_key": f"{entry['event_key']} at {tx.now}"})

    return patch.object(inbox, "remember_once", remember)


def every_delivery_is_the_first() -> AbstractContextManager[object]:
    """An event is kept once, and counts each time it is delivered."""
    real = inbox.remember_once
    return patch.object(inbox, "remember_once", lambda tx, entry: (real(tx, entry)[0], True))


def unknown_jobs_dropped() -> AbstractContextManager[object]:
    """A webhook of a job that nobody knows is answered, and forgotten."""
    real = receive.take

    def take(
        context: Context, tx: Transaction, account: str, headers: Any, body: bytes, delivery: Delivery
    ) -> Receipt:
        if receive._hold_job_of(tx, account, delivery) is None:
            return Receipt(Fate.WAITING)
        return real(context, tx, account, headers, body, delivery)

    return patch.object(receive, "take", take)


@contextmanager
def early_ones_never_matched() -> Iterator[None]:
    """A webhook that came before its job was known waits for ever."""
    with (
        patch.object(observe, "_early_webhooks", lambda *_: []),
        patch.object(sweep, "_unmatched", lambda tx, *, limit: []),
        # Without the bug it is over long before that, and five hours of sweeps take ten seconds to pretend.
        patch.object(world, "ENDS_WITHIN", 1_200.0),
    ):
        yield


@contextmanager
def follow_up_sent_before_commit() -> Iterator[None]:
    """What is to happen next is sent while the transaction that makes it true is still open."""

    def observe_and_send(context: Context, tx: Transaction, job_id: str, seen: Observation) -> list[FollowUp]:
        process = running().owner
        assert isinstance(process, Process)
        process.send(observe.observe(context, tx, job_id, seen))
        return []

    with (
        patch.object(create, "observe", observe_and_send),
        patch.object(receive, "observe", observe_and_send),
    ):
        yield


BUGS = (
    bug("inbox dedupe removed", inbox_dedupe_removed, Invariant.EVENT_ONCE, seed=22),
    bug("every delivery counts as the first", every_delivery_is_the_first, Invariant.EVENT_ONCE, seed=22),
    bug("webhooks of unknown jobs dropped", unknown_jobs_dropped, Invariant.KEPT_BEFORE_ACK, seed=32),
    bug("early webhooks never matched", early_ones_never_matched, Invariant.ENDS, seed=33),
    bug("follow-up sent before commit", follow_up_sent_before_commit, Invariant.SENT_AFTER_COMMIT),
)
