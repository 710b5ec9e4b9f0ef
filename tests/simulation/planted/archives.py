"""Bugs about the archive, and about what is handed on from it."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import and_, not_

from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job, Output
from orchestrator.core.routes import Outcome
from orchestrator.engine import archiving, delivering, hand_off
from orchestrator.engine.context import Context
from orchestrator.engine.fetching import fetch
from orchestrator.engine.lease import Lease
from orchestrator.simulation.invariants import Invariant
from orchestrator.sinks import Delivered, Parcel, Sink
from orchestrator.store import attempts, due, hand_offs, schema
from orchestrator.store.database import Transaction
from tests.simulation.planted.bug import bug

ROWS = schema.hand_offs.c


def never_released() -> AbstractContextManager[object]:
    """The archive has an output, and nobody says so to those that wait for it."""
    return patch.object(hand_offs, "release", lambda tx, job_id, index: 0)


def released_too_early() -> AbstractContextManager[object]:
    """What waits for an output goes on its way when somebody begins to fetch it."""
    real = archiving.archive_output

    def archive_output(context: Context, claimed: HandOff, job: Job, siblings: list[Output]) -> Any:
        assert claimed.output_index is not None
        with context.store.write() as tx:
            hand_offs.release(tx, job.id, claimed.output_index)
        return real(context, claimed, job, siblings)

    return patch.object(archiving, "archive_output", archive_output)


def announced_too_early() -> AbstractContextManager[object]:
    """The first of several outputs is there, and links are told."""

    def announce(tx: Transaction, job_id: str, *, news: bool) -> list[HandOff]:
        waits = and_(ROWS.state == HandOffState.OWED, ROWS.due_at.is_(None))
        links = and_(ROWS.job_id == job_id, ROWS.outcome == Outcome.COMPLETED)
        hand_offs._due_again(tx, and_(links, waits))
        return []

    return patch.object(hand_offs, "announce_outputs", announce)


@contextmanager
def told_while_fetched_again() -> Iterator[None]:
    """A document is sent out although the archive has just lost what it tells a link of."""
    further = and_(ROWS.kind == HandOffKind.ARCHIVE, hand_offs._BLOCKED)
    waiting = due.Waiting(
        "hand_off",
        schema.hand_offs,
        schema.HAND_OFFS_DUE,
        lines=schema.lanes,
        only=not_(further),
        served=hand_offs._ELSEWHERE,
        values={"attempts": ROWS.attempts + 1},
    )
    with patch.object(hand_offs, "HAND_OFFS", waiting):
        yield


def told_anew_without_news() -> AbstractContextManager[object]:
    """A copy that was lost is back, and everybody is told once more that there are outputs."""
    real = hand_offs.announce_outputs
    return patch.object(
        hand_offs, "announce_outputs", lambda tx, job_id, *, news: real(tx, job_id, news=True)
    )


def damage_delivered() -> AbstractContextManager[object]:
    """Nobody compares what was staged with what was kept."""
    real = delivering._bring

    def bring(
        context: Context, sink: Sink, parcel: Parcel, claimed: HandOff, chunks: Iterable[bytes], **_: object
    ) -> Delivered:
        return real(context, sink, parcel, claimed, chunks)

    return patch.object(delivering, "_bring", bring)


@contextmanager
def damage_not_removed() -> Iterator[None]:
    """A damaged copy stays, so that what is fetched again is taken to be there already."""

    def leave(*_: object) -> None:
        return

    with patch.object(archiving, "_remove", leave), patch.object(archiving, "_make_room", leave):
        yield


def damage_forgets_attempts() -> AbstractContextManager[object]:
    """Who found a copy damaged begins to count anew: an archive that damages all is tried for ever."""
    real = hand_offs.release

    def release(tx: Transaction, job_id: str, index: int) -> int:
        waits = and_(ROWS.state == HandOffState.OWED, ROWS.due_at.is_(None))
        again = hand_offs._due_again(tx, and_(hand_offs._of_output(job_id, index), waits))
        return again + real(tx, job_id, index)

    return patch.object(hand_offs, "release", release)


def never_given_up() -> AbstractContextManager[object]:
    """An output cannot be had, and what waits for it waits on."""
    return patch.object(hand_offs, "give_up", lambda tx, job_id, index, reason: [])


def read_under_another_hash() -> AbstractContextManager[object]:
    """Every destination gets the first output under the names of all."""
    real = delivering.deliver

    def deliver(context: Context, claimed: HandOff, job: Job, siblings: list[Output]) -> Delivered:
        first = [replace(one, sha256=siblings[0].sha256) for one in siblings]
        return real(context, claimed, job, first)

    return patch.object(hand_off, "deliver", deliver)


def fetched_for_each_destination() -> AbstractContextManager[object]:
    """The gateway is asked once more for each destination."""
    real = delivering.deliver

    def deliver(context: Context, claimed: HandOff, job: Job, siblings: list[Output]) -> Delivered:
        for output in siblings:
            if output.index == claimed.output_index:
                anew = lambda: context.archive.begin("anew", claimed.fence)  # noqa: E731
                fetch(context, Lease(context, claimed), job, output, anew)
        return real(context, claimed, job, siblings)

    return patch.object(hand_off, "deliver", deliver)


def attempts_not_kept() -> AbstractContextManager[object]:
    """How an attempt ended is not put on record."""
    return patch.object(attempts, "add", lambda *_, **__: None)


def lost_attempts_not_kept() -> AbstractContextManager[object]:
    """Of an attempt that died with its process nothing is on record."""
    return patch.object(attempts, "note_if_lost", lambda tx, claimed: None)


def uncertain_not_told() -> AbstractContextManager[object]:
    """A person is asked, and nobody downstream hears of it."""
    real = hand_offs.owe_outcome

    def owe(tx: Transaction, job: Job, outcome: str) -> int:
        return 0 if outcome == Outcome.UNCERTAIN else real(tx, job, outcome)

    return patch.object(hand_offs, "owe_outcome", owe)


BUGS = (
    bug("what waits for the archive is never released", never_released, Invariant.NOTHING_LOST),
    bug("released before the archive has it", released_too_early, Invariant.ARCHIVE_FIRST),
    bug("links told before all outputs are there", announced_too_early, Invariant.ARCHIVE_FIRST, seed=35),
    bug(
        "links told while an output is fetched again",
        told_while_fetched_again,
        Invariant.ARCHIVE_FIRST,
        seed=4,
    ),
    bug("links told anew without news", told_anew_without_news, Invariant.ONE_EFFECT, seed=2),
    bug("a damaged copy delivered", damage_delivered, Invariant.ONE_EFFECT, seed=2),
    bug("a damaged copy not removed", damage_not_removed, Invariant.ENDS, seed=16),
    bug("damage forgets the attempts", damage_forgets_attempts, Invariant.ATTEMPTS_KEPT, seed=74),
    bug("an output given up, and still waited for", never_given_up, Invariant.NOTHING_LOST, seed=5),
    bug("read from the archive under another hash", read_under_another_hash, Invariant.ONE_EFFECT),
    bug("fetched for each destination", fetched_for_each_destination, Invariant.FETCHED_ONCE),
    bug("attempts not kept", attempts_not_kept, Invariant.ATTEMPTS_KEPT),
    bug("lost attempts not kept", lost_attempts_not_kept, Invariant.ATTEMPTS_KEPT, seed=8),
    bug("an uncertain create not told", uncertain_not_told, Invariant.ENDS, seed=2),
)
