"""Bugs put into the product on purpose, for a simulation to find. Each is what a careless change could do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import true, update

from orchestrator.core import cadence, lifecycle
from orchestrator.core.job import HandOff, Job, Observation
from orchestrator.core.lifecycle import LIVE_NEGATIVE, Seen, State, Step, Verdict
from orchestrator.engine import create, observe, receive
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.simulation.process import Process
from orchestrator.simulation.scheduler import running
from orchestrator.store import due, hand_offs, inbox, jobs, schema
from orchestrator.store.database import Transaction

Planted = Callable[[], AbstractContextManager[object]]


def guard_removed() -> AbstractContextManager[object]:
    """A job is moved without asking whether it is still what was read."""

    def move(tx: Transaction, job: Job, changes: Mapping[str, Any]) -> bool:
        statement = update(schema.jobs).where(schema.jobs.c.id == job.id)
        tx.execute(statement.values(**jobs._plain(changes)))
        return True

    return patch.object(jobs, "move_if_still", move)


def inbox_dedupe_removed() -> AbstractContextManager[object]:
    """Each delivery of an event counts as its first."""
    real = inbox.remember_once
    return patch.object(inbox, "remember_once", lambda tx, entry: (real(tx, entry)[0], True))


@contextmanager
def lease_fence_ignored() -> Iterator[None]:
    """Whoever lost a lease writes as if it still had it."""
    release, finish, renew, looks = (
        jobs.release_if_ours,
        hand_offs.finish_if_ours,
        hand_offs.renew_if_ours,
        jobs.note_looks,
    )

    def now_of(tx: Transaction, claimed: HandOff) -> HandOff:
        found = hand_offs.get(tx, claimed.id)
        assert found is not None
        return replace(claimed, fence=found.fence, leased_by=found.leased_by)

    def note_looks(tx: Transaction, noted: Sequence[Mapping[str, Any]]) -> None:
        now = {one["id"]: jobs.require(tx, one["id"]) for one in noted}
        looks(
            tx,
            [{**one, "fence": now[one["id"]].fence, "leased_by": now[one["id"]].leased_by} for one in noted],
        )

    def release_it(tx: Transaction, job: Job, changes: Mapping[str, Any]) -> bool:
        now = jobs.require(tx, job.id)
        return release(tx, replace(job, fence=now.fence, leased_by=now.leased_by), changes)

    with ExitStack() as stack:
        stack.enter_context(patch.object(jobs, "release_if_ours", release_it))
        stack.enter_context(patch.object(jobs, "note_looks", note_looks))
        stack.enter_context(
            patch.object(
                hand_offs, "finish_if_ours", lambda tx, one, changes: finish(tx, now_of(tx, one), changes)
            )
        )
        stack.enter_context(
            patch.object(
                hand_offs, "renew_if_ours", lambda tx, one, lease: renew(tx, now_of(tx, one), lease=lease)
            )
        )
        yield


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


# Beyond those that the issue names.


def floor_ignored() -> AbstractContextManager[object]:
    """The next look comes when we like."""
    return patch.object(cadence, "next_look", lambda *, now, **_: now + 3.0)


def lost_create_repeated() -> AbstractContextManager[object]:
    """A create whose answer was lost is simply done again."""
    again = Step(State.ACCEPTED, Verdict.MOVED)
    return patch.dict(lifecycle.STEPS, {(State.CREATING, Seen.LOST): again})


@contextmanager
def claims_what_others_hold() -> Iterator[None]:
    """A claim takes what is due, whoever works on it."""
    with patch.object(due, "unleased", lambda columns: true()):
        creates = due.Waiting("create", schema.jobs, schema.CREATES_DUE)
        looks = due.Waiting("look", schema.jobs, schema.LOOKS_DUE)
    with patch.object(jobs, "CREATES", creates), patch.object(jobs, "LOOKS", looks):
        yield


def claims_without_a_heartbeat() -> AbstractContextManager[object]:
    """A worker that wakes from a long pause claims before it beats."""
    return patch.object(due, "can_lease", lambda tx, worker: True)


NAMED: dict[str, Planted] = {
    "guard removed": guard_removed,
    "inbox dedupe removed": inbox_dedupe_removed,
    "lease fence ignored": lease_fence_ignored,
    "stored evidence ignored": stored_evidence_ignored,
    "follow-up sent before commit": follow_up_sent_before_commit,
}
FURTHER: dict[str, Planted] = {
    "floor ignored": floor_ignored,
    "lost create repeated": lost_create_repeated,
    "claims what others hold": claims_what_others_hold,
    "claims without a heartbeat": claims_without_a_heartbeat,
}
