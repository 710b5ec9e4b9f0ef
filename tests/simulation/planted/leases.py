"""Bugs about who may work on what."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import true

from orchestrator.core.job import HandOff, Job
from orchestrator.engine.held import Held
from orchestrator.simulation.invariants import Invariant
from orchestrator.store import due, due_jobs, hand_offs, jobs, schema, workers
from orchestrator.store.database import Transaction
from tests.simulation.planted.bug import bug


@contextmanager
def lease_fence_ignored() -> Iterator[None]:
    """Whoever lost a lease writes as if it still had it."""
    release, finish, renew, looks = (
        due_jobs.release_if_ours,
        hand_offs.finish_if_ours,
        hand_offs.renew_if_ours,
        due_jobs.note_looks,
    )

    def now_of(tx: Transaction, claimed: HandOff) -> HandOff:
        found = hand_offs.get(tx, claimed.id)
        assert found is not None
        return replace(claimed, fence=found.fence, leased_by=found.leased_by)

    def note_looks(tx: Transaction, noted: Sequence[Mapping[str, Any]]) -> set[str]:
        now = {one["id"]: jobs.require(tx, one["id"]) for one in noted}
        return looks(
            tx,
            [{**one, "fence": now[one["id"]].fence, "leased_by": now[one["id"]].leased_by} for one in noted],
        )

    def release_it(tx: Transaction, job: Job, changes: Mapping[str, Any]) -> bool:
        now = jobs.require(tx, job.id)
        return release(tx, replace(job, fence=now.fence, leased_by=now.leased_by), changes)

    def finish_it(tx: Transaction, claimed: HandOff, changes: Mapping[str, Any]) -> bool:
        return finish(tx, now_of(tx, claimed), changes)

    def renew_it(tx: Transaction, claimed: HandOff, *, lease: float) -> bool:
        return renew(tx, now_of(tx, claimed), lease=lease)

    with ExitStack() as stack:
        stack.enter_context(patch.object(due_jobs, "release_if_ours", release_it))
        stack.enter_context(patch.object(due_jobs, "note_looks", note_looks))
        stack.enter_context(patch.object(hand_offs, "finish_if_ours", finish_it))
        stack.enter_context(patch.object(hand_offs, "renew_if_ours", renew_it))
        yield


@contextmanager
def claims_what_others_hold() -> Iterator[None]:
    """A claim takes what is due, whoever works on it."""
    with patch.object(due, "unleased", lambda columns: true()):
        creates = due.Waiting("create", schema.jobs, schema.CREATES_DUE)
        looks = due.Waiting("look", schema.jobs, schema.LOOKS_DUE)
    with patch.object(due_jobs, "CREATES", creates), patch.object(due_jobs, "LOOKS", looks):
        yield


def claims_without_a_heartbeat() -> AbstractContextManager[object]:
    """A worker that wakes from a long pause claims before it beats."""
    return patch.object(due, "can_lease", lambda tx, worker: True)


def leases_what_it_owes_without_a_heartbeat() -> AbstractContextManager[object]:
    """A process that is known for dead claims what becomes owed in its own transaction."""
    return patch.object(workers, "can_lease", lambda tx, worker: True)


def gives_back_what_is_worked_on() -> AbstractContextManager[object]:
    """Nobody notes what a process works on, so its heartbeat frees it."""
    return patch.object(Held, "working", lambda self, claimed: nullcontext())


BUGS = (
    bug("lease fence ignored", lease_fence_ignored, Invariant.OLD_FENCE, seed=10),
    bug("a heartbeat frees what is worked on", gives_back_what_is_worked_on, Invariant.OLD_FENCE, seed=2),
    bug("claims what others hold", claims_what_others_hold, Invariant.ONE_HOLDER, seed=2),
    bug("claims without a heartbeat", claims_without_a_heartbeat, Invariant.ONE_HOLDER, seed=6),
    bug(
        "leases what it owes without a heartbeat",
        leases_what_it_owes_without_a_heartbeat,
        Invariant.ONE_HOLDER,
        seed=2551,
    ),
)
