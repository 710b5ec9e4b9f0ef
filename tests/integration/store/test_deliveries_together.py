"""Several webhooks in one transaction: each has the effect that it would have had alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.lifecycle import State
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.receive import Incoming, receive_together
from orchestrator.engine.take import Fate
from orchestrator.store import hand_offs, jobs, observations, outputs
from orchestrator.store.database import Store
from orchestrator.store.inbox import EntryState
from tests.integration.store.rows import START, a_job, keep, read
from tests.integration.store.use_cases import SECRET, a_process, entries
from tests.signing import signature


@pytest.fixture
def context(store: Store, tmp_path: Path) -> Iterator[Context]:
    context = a_process(store, tmp_path)
    yield context
    context.close()


def hook(number: int, event: str = "completed", *, secret: str = SECRET, **data: Any) -> Incoming:
    told = {"id": f"G-{number}", "status": event} | data
    named = {"id": f"evt_{number}_{event}", "type": f"video.{event}", "data": told}
    body, stamp = json.dumps(named).encode(), str(int(START))
    signed = {"x-phaseo-timestamp": stamp, "x-phaseo-signature": signature(secret, stamp, body).hex()}
    return Incoming("default", signed, body, START)


def known(store: Store, many: int) -> None:
    for number in range(1, many + 1):
        keep(store, a_job(f"job_{number}", gateway_id=f"G-{number}"))


def test_each_ends_its_job_and_owes_what_follows(store: Store, context: Context) -> None:
    known(store, 4)
    events = ("completed", "failed", "progress", "completed")
    hooks = [hook(4 - place, event) for place, event in enumerate(events)]  # not in the order of the jobs
    receipts = receive_together(context, hooks)
    assert [one and one.fate for one in receipts] == [Fate.APPLIED] * 4
    states = {number: read(store, f"job_{number}").state for number in range(1, 5)}
    assert states == {4: State.COMPLETED, 3: State.FAILED, 2: State.WAITING, 1: State.COMPLETED}
    assert [one and one.job and one.job.id for one in receipts] == ["job_4", "job_3", "job_2", "job_1"]
    assert receipts[0] is not None
    assert FollowUp(Task.HAND_OFF) in receipts[0].follow_ups
    with store.read() as tx:
        for number in (1, 4):
            assert [one.key for one in hand_offs.of_job(tx, f"job_{number}")] == [
                f"job_{number}/0/archive",
                f"job_{number}/0/folder",
            ]
            assert [one.index for one in outputs.of_job(tx, f"job_{number}")] == [0]
        for number in range(1, 5):
            (line,) = observations.of_job(tx, f"job_{number}")
            assert (line.seq, line.inbox_id) in {(1, entry.id) for entry in entries(store)}
    assert {entry.job_id for entry in entries(store)} == {f"job_{number}" for number in range(1, 5)}


def test_of_two_about_one_job_the_first_is_taken(store: Store, context: Context) -> None:
    known(store, 1)
    first, second, again = receive_together(context, [hook(1, "progress"), hook(1), hook(1, "progress")])
    assert first is not None
    assert (second, again) == (None, None)
    assert (read(store).state, read(store).webhooks) == (State.WAITING, 1)


def test_one_that_was_delivered_before_counts_and_changes_nothing(store: Store, context: Context) -> None:
    known(store, 2)
    assert all(receive_together(context, [hook(1), hook(2)]))
    assert all(receive_together(context, [hook(1), hook(2)]))
    assert [entry.deliveries for entry in entries(store)] == [2, 2]
    with store.read() as tx:
        assert len(observations.of_job(tx, "job_1")) == 1
        assert len(hand_offs.of_job(tx, "job_1")) == 2


def test_what_is_not_to_be_believed_or_about_no_job_is_left(store: Store, context: Context) -> None:
    known(store, 1)
    forged, unknown = hook(1, secret="whsec_of_somebody_else"), hook(7)
    elsewhere = Incoming("nobody", unknown.headers, unknown.body, START)
    left = receive_together(context, [forged, unknown, elsewhere, hook(1)])
    assert left[:3] == [None] * 3
    assert left[3] is not None
    (entry,) = entries(store)
    assert (entry.state, entry.gateway_id) == (EntryState.APPLIED, "G-1")


@pytest.mark.parametrize("kind", ["postgresql"])  # SQLite has one writer, who holds all
def test_one_about_a_job_that_somebody_holds_is_left_and_waited_for_by_none(
    store: Store, context: Context
) -> None:
    known(store, 2)
    with store.write() as other:
        jobs.lock(other, "job_1")
        held, free = receive_together(context, [hook(1), hook(2)])
    assert held is None
    assert free is not None
    assert (read(store, "job_1").state, read(store, "job_2").state) == (State.WAITING, State.COMPLETED)


def test_one_that_came_before_its_create_s_answer_is_brought_to_its_job(
    store: Store, context: Context
) -> None:
    known(store, 1)
    keep(store, a_job("job_2", state=State.CREATING, gateway_id=None, session_id="job_2.1"))
    keep(store, a_job("job_3", gateway_id="G-of-an-earlier-attempt", session_id="job_3.2"))
    early, late = hook(2, session_id="job_2.1"), hook(3, session_id="job_3.1")
    again, nobodys = hook(5, session_id="job_2.2"), hook(4, session_id="job_4.1")
    taken = receive_together(context, [early, late, again, nobodys, hook(1)])
    assert [one and one.fate for one in taken] == [Fate.APPLIED, None, None, None, Fate.APPLIED]
    assert (read(store, "job_2").state, read(store, "job_2").gateway_id) == (State.COMPLETED, "G-2")
    assert read(store, "job_3").state is State.WAITING
