"""Bugs about what a job becomes, and how that is kept."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import update

from orchestrator.core import lifecycle
from orchestrator.core.job import Job, Observation
from orchestrator.core.lifecycle import LIVE_NEGATIVE, Seen, State, Step, Verdict
from orchestrator.simulation.invariants import Invariant
from orchestrator.store import jobs, observations, schema
from orchestrator.store.database import Transaction
from tests.simulation.planted.bug import Plant, bug


def moves(state: State, seen: Seen, to: State) -> Plant:
    """The table says so."""
    return lambda: patch.dict(lifecycle.STEPS, {(state, seen): Step(to, Verdict.MOVED)})


def stored_evidence_ignored() -> AbstractContextManager[object]:
    """A bad end that a look shows counts at once."""
    ends = {
        Seen.FAILED_LIVE: State.FAILED,
        Seen.CANCELLED_LIVE: State.CANCELLED,
        Seen.EXPIRED_LIVE: State.EXPIRED,
    }
    latched = {
        (state, seen): Step(ends[seen], Verdict.MOVED)
        for (state, seen), step in lifecycle.STEPS.items()
        if seen in LIVE_NEGATIVE and step.confirm
    }
    return patch.dict(lifecycle.STEPS, latched)


@contextmanager
def lock_and_guard_removed() -> Iterator[None]:
    """A job is read without holding it, and moved without asking whether it is still what was read.

    All that is counted on is counted by the database.
    """
    append = observations.append_all

    def move(tx: Transaction, moves: Sequence[tuple[Job, Mapping[str, Any]]]) -> bool:
        for job, changes in moves:
            counted = {"next_seq", "fence"} & changes.keys()
            values = {**changes} | {name: schema.jobs.c[name] + 1 for name in counted}
            tx.execute(update(schema.jobs).where(schema.jobs.c.id == job.id).values(**values))
        return True

    def append_as_it_is(tx: Transaction, learned: Sequence[tuple[Job, Observation, Step]]) -> None:
        for job, seen, step in learned:
            append(tx, [(replace(job, next_seq=jobs.require(tx, job.id).next_seq - 1), seen, step)])

    with (
        _not_held(),
        patch.object(jobs, "move_all_if_still", move),
        patch.object(observations, "append_all", append_as_it_is),
    ):
        yield


@contextmanager
def _not_held() -> Iterator[None]:
    with (
        patch.object(jobs, "lock", jobs.require),
        patch.object(jobs, "lock_by_gateway_id", jobs.by_gateway_id),
    ):
        yield


@contextmanager
def numbers_as_read() -> Iterator[None]:
    """The same, and observations get the number that was read: the database refuses the second of them."""

    def move(tx: Transaction, moves: Sequence[tuple[Job, Mapping[str, Any]]]) -> bool:
        for job, changes in moves:
            tx.execute(update(schema.jobs).where(schema.jobs.c.id == job.id).values(**changes))
        return True

    with _not_held(), patch.object(jobs, "move_all_if_still", move):
        yield


def late_not_kept() -> AbstractContextManager[object]:
    """What came late is not worth a line; its number is taken all the same."""
    append = observations.append_all

    def append_unless_late(tx: Transaction, learned: Sequence[tuple[Job, Observation, Step]]) -> None:
        append(tx, [one for one in learned if one[2].verdict is not Verdict.LATE])

    return patch.object(observations, "append_all", append_unless_late)


BUGS = (
    bug("lock and guard removed", lock_and_guard_removed, Invariant.ONE_WINNER, seed=11),
    bug("the same, with numbers as read", numbers_as_read, Invariant.NOTHING_BROKE, seed=2),
    bug(
        "a live failure reopens a completed job",
        moves(State.COMPLETED, Seen.FAILED_LIVE, State.FAILED),
        Invariant.ONE_WINNER,
        seed=51,
    ),
    bug(
        "a late success reopens a failed job",
        moves(State.FAILED, Seen.COMPLETED, State.COMPLETED),
        Invariant.ONE_WINNER,
        seed=11,
    ),
    bug("stored evidence ignored", stored_evidence_ignored, Invariant.TRUE_TO_GATEWAY, seed=4),
    bug(
        "an open job times out when it is looked at",
        moves(State.WAITING, Seen.OPEN, State.TIMED_OUT),
        Invariant.TRUE_TO_GATEWAY,
        seed=2,
    ),
    bug(
        "a created job is rejected",
        moves(State.CREATING, Seen.OPEN, State.REJECTED),
        Invariant.TRUE_TO_GATEWAY,
    ),
    bug("late observations not kept", late_not_kept, Invariant.NO_GAPS, seed=10),
)
