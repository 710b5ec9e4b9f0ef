"""Several hand-offs that end in one transaction: each ends as it would have alone."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.events import Told
from orchestrator.core.job import HandOff, HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.engine.context import Context
from orchestrator.engine.destinations import Claim
from orchestrator.engine.hand_off import Arrived, end_all
from orchestrator.engine.lease import LEASE
from orchestrator.sinks import Delivered
from orchestrator.store import attempts, events, hand_offs, jobs
from orchestrator.store.attempts import Result
from orchestrator.store.database import Store
from tests.integration.store.rows import START, a_job, keep, owe
from tests.integration.store.use_cases import a_process


@pytest.fixture
def context(store: Store, tmp_path: Path) -> Iterator[Context]:
    context = a_process(store, tmp_path)
    yield context
    context.close()


def claimed(store: Store, context: Context, many: int) -> list[HandOff]:
    """One hand-off of each of so many jobs, claimed by this process."""
    for number in range(1, many + 1):
        keep(store, a_job(f"job_{number}", State.COMPLETED, due_at=None))
        owe(store, 0, job_id=f"job_{number}", due_at=START - many + number)
    found = []
    for _ in range(many):
        with store.write() as tx:
            found.append(hand_offs.claim_due(tx, worker=context.worker, lease=LEASE))
    return [one for one in found if one is not None]


def arrived(context: Context, *claimed: HandOff) -> list[Arrived]:
    there = [Delivered(f"at {one.key}", bytes=7, sha256="0" * 64, status=200) for one in claimed]
    return [Arrived(Claim(context), one, at) for one, at in zip(claimed, there, strict=True)]


def of_job(store: Store, job_id: str) -> HandOff:
    with store.read() as tx:
        (found,) = hand_offs.of_job(tx, job_id)
    return found


def test_each_is_done_with_its_attempt_and_is_told_of(store: Store, context: Context) -> None:
    ours = claimed(store, context, 3)
    assert end_all(context, arrived(context, *reversed(ours))) == [[], [], []]
    for number in (1, 2, 3):
        one = of_job(store, f"job_{number}")
        assert (one.state, one.done_at, one.due_at, one.leased_by) == (HandOffState.DONE, START, None, None)
        assert (one.location, one.last_status, one.bytes) == (f"at {one.key}", 200, 7)
        with store.read() as tx:
            (attempt,) = attempts.of_job(tx, f"job_{number}")
            (told,) = events.of_job(tx, f"job_{number}", limit=9)
        assert (attempt.key, attempt.number, attempt.result) == (one.key, 1, Result.DONE)
        assert (attempt.status, attempt.began_at) == (200, START)
        assert (told.type, told.data["state"]) == (Told.HAND_OFF, HandOffState.DONE)


def test_one_whose_lease_went_to_another_is_left_as_it_is(store: Store, context: Context) -> None:
    first, second = claimed(store, context, 2)
    assert end_all(context, arrived(context, replace(first, fence=first.fence - 1), second)) == [[], []]
    assert of_job(store, "job_1").state is HandOffState.OWED
    assert of_job(store, "job_1").leased_by == context.worker
    assert of_job(store, "job_2").state is HandOffState.DONE
    with store.read() as tx:
        assert attempts.of_job(tx, "job_1") == []
        assert events.of_job(tx, "job_1", limit=9) == []


@pytest.mark.parametrize("kind", ["postgresql"])  # SQLite has one writer, who holds all
def test_one_whose_job_somebody_holds_is_left_and_waited_for_by_none(store: Store, context: Context) -> None:
    ours = claimed(store, context, 2)
    with store.write() as other:
        jobs.lock(other, "job_1")
        assert end_all(context, arrived(context, *ours)) == [None, []]
    assert [of_job(store, name).state for name in ("job_1", "job_2")] == [
        HandOffState.OWED,
        HandOffState.DONE,
    ]
