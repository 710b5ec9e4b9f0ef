"""Use-cases that meet on one job, on PostgreSQL, held at fault points in the middle of their transactions."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from orchestrator.core.job import HandOffState, Observation, OutputSeen, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.engine.context import Context
from orchestrator.engine.resolve import adopt, cancel, give_up, resubmit
from orchestrator.engine.sweep import sweep
from orchestrator.engine.take import Fate
from orchestrator.errors import NotAllowed
from orchestrator.fault_points import FaultPoint
from orchestrator.store import due_jobs, hand_offs
from orchestrator.store.database import Store
from orchestrator.store.inbox import EntryState
from tests.integration.store.rows import START, a_job, claim, keep, read
from tests.integration.store.together import Elsewhere, Held, ended
from tests.integration.store.use_cases import (
    a_process,
    a_webhook,
    created,
    creating,
    deliver,
    entries,
    learn,
    timeline,
)


@pytest.fixture
def kind() -> str:
    return "postgresql"


@pytest.fixture
def context(store: Store, tmp_path: Path) -> Iterator[Context]:
    context = a_process(store, tmp_path)
    yield context
    context.close()


# two that know how the job ended


def test_of_a_webhook_and_a_look_that_end_a_job_differently_at_once_one_wins_and_the_other_is_a_clash(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    keep(store, a_job(gateway_id="G-1"))
    held = Held(FaultPoint.OBSERVE_MOVED)
    hook = elsewhere.begin(lambda: deliver(context, a_webhook("completed")))
    held.until_reached()
    failed = Observation(Source.POLL, Seen.FAILED_STORED, gateway_id="G-1")
    look = elsewhere.begin_and_wait_for_us(lambda: learn(context, failed))
    held.let_go()
    assert ended(hook).fate is Fate.APPLIED
    ended(look)
    job = read(store)
    assert (job.state, job.won_by, job.clashes) == (State.COMPLETED, Source.WEBHOOK, 1)
    assert [(one.seq, one.verdict) for one in timeline(store)] == [(1, Verdict.MOVED), (2, Verdict.CLASH)]


def test_what_two_learn_at_once_about_a_completed_job_is_owed_once(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    keep(store, a_job(gateway_id="G-1"))
    done = Observation(Source.POLL, Seen.COMPLETED, gateway_id="G-1", outputs=(OutputSeen(0),))
    held = Held(FaultPoint.OBSERVE_MOVED)
    look = elsewhere.begin(lambda: learn(context, done))
    held.until_reached()
    hook = elsewhere.begin_and_wait_for_us(lambda: deliver(context, a_webhook("completed")))
    held.let_go()
    ended(look)
    ended(hook)
    with store.read() as tx:
        owed = hand_offs.of_job(tx, "job_1")
    assert [one.key for one in owed] == ["job_1/0/archive", "job_1/0/folder"]
    assert {one.state for one in owed} == {HandOffState.OWED}
    assert (read(store).won_by, read(store).webhooks) == (Source.POLL, 1)


def test_a_look_that_saw_nothing_new_does_not_wake_a_job_that_a_webhook_is_just_ending(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    keep(store, a_job(gateway_id="G-1"))
    (claimed,) = claim(store, context.worker)

    def note_look() -> None:
        told = {"look_errors": 0, "look_error": None, "poll_after": None, "progress": 30}
        ours = {"id": claimed.id, "fence": claimed.fence, "leased_by": claimed.leased_by}
        with store.write() as tx:
            due_jobs.note_looks(tx, [{**ours, **told, "due_at": START + 20}])

    held = Held(FaultPoint.OBSERVE_MOVED)
    hook = elsewhere.begin(lambda: deliver(context, a_webhook("completed")))
    held.until_reached()
    look = elsewhere.begin_and_wait_for_us(note_look)
    held.let_go()
    ended(hook)
    ended(look)
    job = read(store)
    assert (job.state, job.due_at, job.progress, job.looks) == (State.COMPLETED, None, 100, 0)


def test_a_webhook_delivered_twice_at_once_is_one_line_on_the_timeline(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    keep(store, a_job(gateway_id="G-1"))
    held = Held(FaultPoint.RECEIVE_APPLIED)
    first = elsewhere.begin(lambda: deliver(context, a_webhook("completed")))
    held.until_reached()
    second = elsewhere.begin_and_wait_for_us(lambda: deliver(context, a_webhook("completed")))
    held.let_go()
    assert ended(first).fate is ended(second).fate is Fate.APPLIED
    (kept,) = entries(store)
    assert (kept.deliveries, kept.job_id) == (2, "job_1")
    assert len(timeline(store)) == 1


# a person who decides while a webhook settles the job


def settled_meanwhile(
    elsewhere: Elsewhere, context: Context, decide: Callable[[], object], session: str | None = None
) -> "Future[object]":
    """What comes of a decision that was begun while a webhook completed the job, and that waited for it."""
    held = Held(FaultPoint.OBSERVE_MOVED)
    hook = elsewhere.begin(lambda: deliver(context, a_webhook("completed", session)))
    held.until_reached()
    person = elsewhere.begin_and_wait_for_us(decide)
    held.let_go()
    assert ended(hook).fate is Fate.APPLIED
    return person


def test_a_job_that_a_webhook_completes_is_not_given_another_gateway_job_and_is_never_due_again(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    keep(store, a_job(gateway_id="G-1", unconfirmed=True))
    person = settled_meanwhile(elsewhere, context, lambda: adopt(context, "job_1", "G-2"))
    with pytest.raises(NotAllowed, match="already has the gateway job G-1"):
        ended(person)
    job = read(store)
    assert (job.state, job.gateway_id, job.due_at) == (State.COMPLETED, "G-1", None)
    assert [one.source for one in timeline(store)] == [Source.WEBHOOK]


@pytest.mark.parametrize("decide", [resubmit, give_up])
def test_an_uncertain_create_that_a_webhook_completes_is_neither_resubmitted_nor_given_up(
    store: Store,
    context: Context,
    elsewhere: Elsewhere,
    decide: Callable[[Context, str], object],
) -> None:
    keep(store, a_job(state=State.UNCERTAIN))
    person = settled_meanwhile(elsewhere, context, lambda: decide(context, "job_1"), session="job_1.1")
    with pytest.raises(NotAllowed, match="job_1 is completed"):
        ended(person)
    assert (read(store).state, read(store).due_at) == (State.COMPLETED, None)
    assert [one.source for one in timeline(store)] == [Source.WEBHOOK]


def test_a_cancel_withdraws_what_a_webhook_is_just_making_owed(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    keep(store, a_job(gateway_id="G-1"))
    ended(settled_meanwhile(elsewhere, context, lambda: cancel(context, "job_1")))
    job = read(store)
    assert (job.state, job.cancel_requested_at, job.due_at) == (State.COMPLETED, START, None)
    with store.read() as tx:
        assert {one.state for one in hand_offs.of_job(tx, "job_1")} == {HandOffState.WITHDRAWN}


# a webhook that comes while the create's answer is being kept


def test_a_webhook_without_our_session_that_is_kept_beside_the_creates_answer_reaches_its_job_by_a_sweep(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    creating(store)
    held = Held(FaultPoint.RECEIVE_APPLIED)
    hook = elsewhere.begin(lambda: deliver(context, a_webhook("completed")))
    held.until_reached()
    learn(context, created())
    held.let_go()
    assert ended(hook).fate is Fate.WAITING
    assert read(store).state is State.WAITING, "neither transaction saw the other"
    sweep(context)
    assert read(store).state is State.COMPLETED
    assert [(one.state, one.job_id) for one in entries(store)] == [(EntryState.APPLIED, "job_1")]
    sweep(context)
    assert read(store).webhooks == 1


def test_a_webhook_that_is_kept_before_the_creates_answer_is_committed_is_found_by_it(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    creating(store)
    held = Held(FaultPoint.OBSERVE_MOVED)
    answer = elsewhere.begin(lambda: learn(context, created()))
    held.until_reached()
    assert deliver(context, a_webhook("completed")).fate is Fate.WAITING
    held.let_go()
    ended(answer)
    assert read(store).state is State.COMPLETED
    assert [(one.state, one.job_id) for one in entries(store)] == [(EntryState.APPLIED, "job_1")]


def test_a_webhook_that_names_our_session_waits_for_the_creates_answer_and_is_applied_after_it(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    creating(store)
    held = Held(FaultPoint.OBSERVE_MOVED)
    answer = elsewhere.begin(lambda: learn(context, created()))
    held.until_reached()
    hook = elsewhere.begin_and_wait_for_us(
        lambda: deliver(context, a_webhook("completed", session="job_1.1"))
    )
    held.let_go()
    ended(answer)
    assert ended(hook).fate is Fate.APPLIED
    assert (read(store).state, read(store).webhooks) == (State.COMPLETED, 1)


def test_a_webhook_delivered_again_while_the_creates_answer_takes_up_the_first_blocks_nobody(
    store: Store, context: Context, elsewhere: Elsewhere
) -> None:
    creating(store)
    assert deliver(context, a_webhook("completed")).fate is Fate.WAITING
    held = Held(FaultPoint.OBSERVE_MOVED)
    answer = elsewhere.begin(lambda: learn(context, created()))
    held.until_reached()
    again = elsewhere.begin_and_wait_for_us(
        lambda: deliver(context, a_webhook("completed", session="job_1.1"))
    )
    held.let_go()
    ended(answer)
    assert ended(again).fate is Fate.APPLIED
    assert read(store).state is State.COMPLETED
    assert [(one.state, one.deliveries) for one in entries(store)] == [(EntryState.APPLIED, 2)]
