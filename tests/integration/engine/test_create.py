"""Creating: five classes of answers, and never a second job that nobody asked for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count

import pytest

from orchestrator.core.blame import Fault
from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, Breakers
from orchestrator.core.cadence import SEARCH_FOR_PERSON_EVERY
from orchestrator.core.job import Source, Updates
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.engine import alarms
from orchestrator.engine.create import EVENTS, KEEP_AGAIN_AFTER, KEEP_TRIES
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.resolve import adopt, cancel, give_up, resubmit
from orchestrator.engine.submit import Submission, submit
from orchestrator.errors import NotAllowed, NotFound, RequestError, StoreError
from orchestrator.fault_points import FaultPoint
from orchestrator.store import jobs, workers
from orchestrator.store.database import WORKER_DEAD_AFTER, Transaction
from orchestrator.store.jobs import PUT_OFF_AT_ONCE
from tests.integration.engine.harness import MODEL, Engine, NewEngine, held_at
from tests.sandbox.harness import Receiver, Sandbox, until


def posts(sandbox: Sandbox) -> int:
    """How many creates the gateway was asked for."""
    rows = sandbox.control.get("/requests", params={"method": "POST", "path": "/v1/videos"}).json()
    return int(rows["count"])


# the five classes


def test_a_created_job_waits_for_its_first_look(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit()
    assert engine.create() == [FollowUp(Task.LOOK, 20.0)]
    job = engine.job(job_id)
    assert (job.state, job.session_id, job.attempts) == (State.WAITING, f"{job_id}.1", 1)
    (truth,) = sandbox.truth()
    assert (job.gateway_id, job.provider) == (truth["id"], "google-ai-studio")
    assert truth["session_id"] == job.session_id
    assert job.leased_by is None
    assert engine.create() is None


@pytest.mark.parametrize(
    ("error", "blame"),
    [("unsupported_model", Fault.REQUEST), ("upstream_400", Fault.REQUEST), ("payload_too_large", None)],
)
def test_a_refused_job_is_rejected_in_the_gateways_words(
    engine: Engine, sandbox: Sandbox, error: str, blame: Fault | None
) -> None:
    job_id = engine.created(create_error=error)
    job = engine.job(job_id)
    assert job.state is State.REJECTED
    assert job.failure
    assert job.failure["message"]
    assert job.request_id
    assert blame in (None, job.blame)
    assert [one.key for one in engine.owed(job_id)] == [f"{job_id}/rejected/folder"]
    assert engine.create() is None
    assert posts(sandbox) == 1


@pytest.mark.parametrize(
    "error", ["key_limit", "feature_gate", "db_error", "upstream_429", "provider_payment_required"]
)
def test_what_surely_made_no_job_is_asked_again_later(engine: Engine, sandbox: Sandbox, error: str) -> None:
    job_id = engine.created(create_error=error, create_error_times=1)
    job = engine.job(job_id)
    assert (job.state, job.due_at) == (State.ACCEPTED, engine.now + 2.0)
    assert engine.create() is None, "not yet"
    engine.later(2)
    assert engine.create() is not None
    job = engine.job(job_id)
    assert (job.state, job.session_id) == (State.WAITING, f"{job_id}.2")
    assert job.failure is None
    assert len(sandbox.truth()) == 1


def test_a_gateway_that_cannot_be_reached_was_surely_not_asked(new_engine: NewEngine) -> None:
    engine = new_engine(gateway_url="http://127.0.0.1:1/v1")
    job_id = engine.created()
    assert engine.job(job_id).state is State.ACCEPTED
    assert [one.seen for one in engine.timeline(job_id)] == [Seen.ATTEMPT, Seen.NO_JOB]


@pytest.mark.parametrize("error", ["cut", "cut_after", "text_500", "text_500_after", "persistence_failed"])
def test_what_may_have_made_a_job_is_uncertain_and_never_asked_again(
    engine: Engine, sandbox: Sandbox, error: str
) -> None:
    job_id = engine.created(create_error=error, duration=600)
    assert engine.job(job_id).state is State.UNCERTAIN
    for _ in range(4):
        engine.later(5)
        engine.look()
        engine.create()
    assert posts(sandbox) == 1


def test_an_answer_that_takes_too_long_is_uncertain(new_engine: NewEngine, sandbox: Sandbox) -> None:
    engine = new_engine(create_timeout_seconds=0.3)
    sandbox.faults(hold="creates")
    job_id = engine.created(duration=600)
    assert engine.job(job_id).state is State.UNCERTAIN
    until(sandbox.truth)
    engine.later(5)
    engine.look()
    assert engine.job(job_id).state is State.WAITING, "found by its session all the same"


def test_an_attempt_is_safe_on_the_disk_before_the_gateway_is_asked(
    engine: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.submit()
    asked: list[tuple[bool, int]] = []
    write = engine.store.write

    def watched(*, durable: bool = True) -> AbstractContextManager[Transaction]:
        asked.append((durable, posts(sandbox)))
        return write(durable=durable)

    monkeypatch.setattr(engine.store, "write", watched)
    engine.create()
    assert asked == [(True, 0), (True, 1)]


# webhooks of a create


def test_an_endpoint_is_asked_to_call_for_everything_that_settles_a_job(
    hooked: Engine, hooks: Receiver
) -> None:
    hooked.created()
    hooks.wait(2)
    assert {hook.body["type"] for hook in hooks.hooks} <= set(EVENTS)


def test_a_job_followed_by_looks_alone_asks_for_no_webhook(hooked: Engine, sandbox: Sandbox) -> None:
    hooked.created(updates=Updates.POLL)
    assert sandbox.owed() == []


def test_an_endpoint_that_the_gateway_refuses_is_left_out_once_and_for_all(
    hooked: Engine, sandbox: Sandbox
) -> None:
    job_id = hooked.created(create_error="webhook_refused")
    job = hooked.job(job_id)
    assert (job.state, job.without_webhook) == (State.WAITING, True)
    assert posts(sandbox) == 2
    assert len(sandbox.truth()) == 1
    assert sandbox.owed() == []
    assert "without" in (hooked.timeline(job_id)[-1].note or "")


def test_a_hook_before_the_create_call_has_returned_finds_its_job(hooked: Engine, hooks: Receiver) -> None:
    job_id = hooked.submit(webhook_early=True)
    with held_at(FaultPoint.CREATE_ANSWERED, hooked.create):
        for hook in hooks.wait(2):
            hooked.receive(hook)
        early = hooked.job(job_id)
        assert early.state is State.COMPLETED
        assert early.won_by is Source.WEBHOOK
    after = hooked.job(job_id)
    assert (after.state, after.clashes) == (State.COMPLETED, 0)
    assert hooked.timeline(job_id)[-1].verdict is Verdict.LATE
    assert len(hooked.owed(job_id)) == 1


# finding out


@pytest.mark.parametrize("error", ["cut_after", "text_500_after", "persistence_failed"])
def test_an_uncertain_create_is_found_by_its_session_in_the_list(
    engine: Engine, sandbox: Sandbox, error: str
) -> None:
    sandbox.create(duration=600)  # of another program
    sandbox.create(session="job_of_somebody_else.1", duration=600)
    job_id = engine.created(create_error=error, duration=600)
    assert engine.look() is None, "a little later only"
    job = engine.look_when_due(job_id)
    mine = next(row for row in sandbox.truth() if row["session_id"] == f"{job_id}.1")
    assert (job.state, job.gateway_id) == (State.WAITING, mine["id"])
    assert job.blame is None


def test_an_uncertain_create_that_ended_meanwhile_is_found_ended(engine: Engine) -> None:
    job_id = engine.created(create_error="cut_after")
    job = engine.look_when_due(job_id)
    assert job.state is State.COMPLETED
    assert job.won_by is Source.LIST
    assert engine.hand_off_all() == 1
    assert len(engine.files()) == 1


def test_an_uncertain_create_is_found_by_a_webhook_that_carries_its_session(
    hooked: Engine, hooks: Receiver
) -> None:
    job_id = hooked.created(create_error="cut_after", duration=600)
    (hook,) = hooks.wait(1, "video.created")
    hooked.receive(hook)
    assert hooked.job(job_id).state is State.WAITING
    assert hooked.job(job_id).gateway_id == hook.body["data"]["id"]


def test_a_search_that_fails_goes_on_a_little_later(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(create_error="cut_after", duration=600)
    sandbox.faults(down="gets")
    for _ in range(3):
        assert engine.look_when_due(job_id).state is State.UNCERTAIN
    sandbox.faults(down="none")
    assert engine.look_when_due(job_id).state is State.WAITING


def test_after_a_while_a_person_is_asked_and_a_webhook_may_still_tell(
    hooked: Engine, hooks: Receiver, sandbox: Sandbox
) -> None:
    job_id = hooked.created(create_error="cut_after", duration=600)
    sandbox.faults(down="gets")
    hooked.later(hooked.settings.uncertain_wait_seconds)
    hooked.look()
    job = hooked.job(job_id)
    assert (job.state, job.needs_person) == (State.UNCERTAIN, True)
    assert job.due_at == hooked.now + SEARCH_FOR_PERSON_EVERY, "the search goes on, less often"
    hooked.receive(hooks.wait(1, "video.created")[0])
    assert hooked.job(job_id).state is State.WAITING
    assert not hooked.job(job_id).needs_person


def test_what_nobody_decides_times_out_at_the_deadline(engine: Engine) -> None:
    job_id = engine.created(create_error="cut", deadline_seconds=2_000)
    engine.later(900)
    engine.look()
    assert engine.job(job_id).needs_person
    while engine.job(job_id).state is State.UNCERTAIN:
        job = engine.look_when_due(job_id)
    assert engine.now == job.deadline_at
    assert (job.state, job.blame) == (State.TIMED_OUT, Fault.UNCERTAIN_CREATE)
    assert [one.outcome for one in engine.owed(job_id)] == ["uncertain", "timed_out"]


def test_an_operator_may_choose_to_risk_another_job(new_engine: NewEngine, sandbox: Sandbox) -> None:
    engine = new_engine(uncertain_policy="resubmit", uncertain_wait_seconds=0)
    job_id = engine.created(create_error="cut", create_error_times=1)
    assert engine.look_when_due(job_id).state is State.ACCEPTED
    engine.create()
    assert engine.job(job_id).state is State.WAITING
    assert "both are paid" in (engine.timeline(job_id)[2].note or "")


@pytest.mark.parametrize("error", ["key_limit", "cut"])
def test_a_job_cancelled_while_a_create_made_nothing_is_not_asked_again(
    new_engine: NewEngine, sandbox: Sandbox, error: str
) -> None:
    engine = new_engine(uncertain_policy="resubmit", uncertain_wait_seconds=0)
    job_id = engine.submit(create_error=error)
    with held_at(FaultPoint.CREATE_ANSWERED, engine.create):
        assert engine.job(job_id).state is State.CREATING
        cancel(engine.context, job_id)
    engine.later(10)
    engine.look()
    engine.create()
    assert engine.job(job_id).state is State.CANCELLED
    assert engine.job(job_id).blame is Fault.CALLER
    assert posts(sandbox) == 1
    assert [one.outcome for one in engine.owed(job_id)] == ["cancelled"]


# what a person decides


def test_a_person_adopts_the_job_they_recognise(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(create_error="cut")
    made = sandbox.create(duration=0)
    adopt(engine.context, job_id, made)
    assert engine.job(job_id).gateway_id == made
    assert engine.look_when_due(job_id).state is State.COMPLETED


def test_a_gateway_job_that_has_an_owner_cannot_be_adopted(engine: Engine) -> None:
    owner = engine.created(duration=600)
    taken = engine.job(owner).gateway_id
    assert taken
    other = engine.created(create_error="cut")
    with pytest.raises(NotAllowed, match=f"already belongs to {owner}"):
        adopt(engine.context, other, taken)


def test_a_job_that_has_a_gateway_job_cannot_be_given_another(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.created(duration=600, deadline_seconds=10)
    engine.later(20)
    engine.look()
    assert engine.job(job_id).state is State.TIMED_OUT
    with pytest.raises(NotAllowed, match="already has the gateway job"):
        adopt(engine.context, job_id, sandbox.create())


def test_a_person_resubmits_or_gives_up(engine: Engine) -> None:
    again, over = engine.created(create_error="cut", create_error_times=1), engine.submit(create_error="cut")
    engine.create()
    resubmit(engine.context, again)
    engine.create()
    assert engine.job(again).state is State.WAITING
    assert give_up(engine.context, over) == [FollowUp(Task.HAND_OFF)]
    assert engine.job(over).state is State.TIMED_OUT


@pytest.mark.parametrize("decide", [resubmit, give_up])
def test_only_an_uncertain_create_is_for_a_person_to_decide(
    engine: Engine, decide: Callable[..., object]
) -> None:
    job_id = engine.created(duration=600)
    with pytest.raises(NotAllowed, match="waiting"):
        decide(engine.context, job_id)
    with pytest.raises(NotFound):
        decide(engine.context, "job_nope")


# cancel and deadline


def test_a_job_cancelled_before_its_create_is_never_asked_of_the_gateway(
    engine: Engine, sandbox: Sandbox
) -> None:
    job_id = engine.submit()
    job, _ = cancel(engine.context, job_id)
    assert (job.state, job.blame) == (State.CANCELLED, Fault.CALLER)
    assert engine.create() is None
    assert posts(sandbox) == 0


def test_a_job_cancelled_after_its_create_runs_on_and_is_not_handed_off(engine: Engine) -> None:
    job_id = engine.created()
    job, _ = cancel(engine.context, job_id)
    assert job.state is State.WAITING
    assert engine.look_when_due(job_id).state is State.COMPLETED
    assert engine.hand_off() is None
    assert engine.owed(job_id) == []


def test_a_cancel_takes_back_what_is_still_owed(engine: Engine) -> None:
    job_id = engine.created()
    engine.look_when_due(job_id)
    cancel(engine.context, job_id)
    assert [one.state for one in engine.owed(job_id)] == ["withdrawn"]
    assert engine.hand_off() is None


def test_a_job_whose_deadline_passed_before_its_create_is_not_made(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit(deadline_seconds=5)
    engine.later(5)
    engine.create()
    assert engine.job(job_id).state is State.TIMED_OUT
    assert posts(sandbox) == 0
    assert engine.job(job_id).leased_by is None


# workers that die


def test_a_create_whose_worker_died_becomes_uncertain_and_is_found(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit(duration=600)
    with held_at(FaultPoint.CREATE_ANSWERED, engine.create):  # it is not dead after all
        engine.now += WORKER_DEAD_AFTER  # nobody has beaten
        engine.sweep_by_another()
        assert engine.job(job_id).state is State.UNCERTAIN
    assert engine.job(job_id).state == "waiting"
    assert len(sandbox.truth()) == 1


def test_a_worker_that_was_forgotten_begins_nothing(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit()
    with engine.store.write() as tx:
        workers.leave_all(tx)
    assert engine.create() is None
    assert engine.job(job_id).state is State.ACCEPTED
    assert posts(sandbox) == 0


def test_a_worker_that_is_forgotten_meanwhile_keeps_what_it_learned(engine: Engine, sandbox: Sandbox) -> None:
    job_id = engine.submit(duration=600)
    with held_at(FaultPoint.CREATE_ANSWERED, engine.create), engine.store.write() as tx:
        workers.leave_all(tx)
    assert engine.job(job_id).state is State.WAITING, "its own observation counts, lease or not"


# a gateway that is away


def go_away(engine: Engine) -> None:
    """What the engine has seen when the gateway has just failed too often."""
    engine.context.breakers = Breakers()
    for _ in range(FAILURES_TO_OPEN):
        engine.context.breakers.failed(("default", None), engine.now)


def test_while_the_whole_gateway_fails_nothing_is_risked_by_a_create(
    engine: Engine, sandbox: Sandbox
) -> None:
    go_away(engine)
    job_id = engine.submit()
    assert engine.create() == [FollowUp(Task.CREATE, FIRST_PAUSE)]
    job = engine.job(job_id)
    assert (job.state, job.attempts, job.due_at) == (State.ACCEPTED, 0, engine.now + FIRST_PAUSE)
    assert (job.leased_by, engine.timeline(job_id)) == (None, [])
    assert engine.create() is None, "later only"
    assert posts(sandbox) == 0
    engine.later(FIRST_PAUSE)
    engine.create()
    assert engine.job(job_id).state is State.WAITING


def test_after_the_pause_one_create_tries_the_gateway_for_all(engine: Engine, sandbox: Sandbox) -> None:
    ids = [engine.submit(create_error="cut") for _ in range(3)]
    go_away(engine)
    engine.later(FIRST_PAUSE)
    for _ in ids:
        engine.create()
    assert [engine.job(job_id).state for job_id in ids].count(State.UNCERTAIN) == 1
    assert posts(sandbox) == 1
    held = [engine.job(job_id) for job_id in ids if engine.job(job_id).state is State.ACCEPTED]
    due_in = [(job.due_at or 0.0) - engine.now for job in held]
    assert due_in == [pytest.approx(FIRST_PAUSE, abs=0.01)] * 2, "the pause doubled, and may end sooner"


def test_a_gateway_that_fails_is_tried_once_after_each_pause_every_pause_twice_the_last(
    engine: Engine, sandbox: Sandbox
) -> None:
    ids = [engine.submit(deadline_seconds=3_600) for _ in range(FAILURES_TO_OPEN + 8)]
    sandbox.faults(create_error="cut", create_leaves_job=False)
    began, asked = engine.now, []
    while engine.now < began + 250:
        before = posts(sandbox)
        while engine.create() is not None:
            pass
        asked += [engine.now - began] * (posts(sandbox) - before)
        engine.later(1)
    first, pauses = [0.0] * FAILURES_TO_OPEN, (1, 3, 7, 15)  # 15 s, then 30, 60, 120 more
    assert asked == first + [FIRST_PAUSE * passed for passed in pauses]
    sandbox.faults(create_error=None)
    engine.later(FIRST_PAUSE * 31 - (engine.now - began))
    while engine.create() is not None:
        pass
    made = [engine.job(job_id).state for job_id in ids].count(State.WAITING)
    assert made == len(ids) - len(asked), "the first answer lets all the others through"


def test_a_backlog_does_not_turn_uncertain_in_an_outage(engine: Engine, sandbox: Sandbox) -> None:
    ids = [engine.submit(create_error="cut") for _ in range(FAILURES_TO_OPEN + 3)]
    while engine.create() is not None:
        pass
    assert [engine.job(job_id).state for job_id in ids].count(State.UNCERTAIN) == FAILURES_TO_OPEN
    assert posts(sandbox) == FAILURES_TO_OPEN


def put_in(engine: Engine, count: int) -> None:
    """So many jobs like one that was submitted, each accepted a second after the next."""
    like = engine.job(engine.submit())
    ages = [
        replace(like, id=f"job_{age}", session_id=f"job_{age}.0", accepted_at=like.accepted_at - age)
        for age in range(1, count)
    ]
    with engine.store.write() as tx:
        jobs.add(tx, ages)


def test_a_backlog_costs_an_outage_a_few_transactions_and_keeps_its_order(
    engine: Engine, sandbox: Sandbox
) -> None:
    put_in(engine, 2 * PUT_OFF_AT_ONCE + 500)
    for _ in range(4):
        go_away(engine)
        claims = 0
        while engine.create() is not None:
            claims += 1
        assert claims == 3
        engine.later(FIRST_PAUSE - 1)
        assert engine.create() is None
        engine.later(1)
    with engine.store.read() as tx:
        kept = sorted(jobs.recent(tx, limit=9_999), key=lambda job: job.due_at or 0.0)
    assert [job.accepted_at for job in kept] == sorted(job.accepted_at for job in kept)
    assert {(job.state, job.attempts, job.leased_by) for job in kept} == {(State.ACCEPTED, 0, None)}
    assert posts(sandbox) == 0


def test_what_is_put_off_in_an_outage_is_no_sign_of_too_few_workers_and_ends_at_its_deadline(
    engine: Engine,
) -> None:
    go_away(engine)
    short, long = engine.submit(deadline_seconds=50), engine.submit()
    for _ in range(90):
        go_away(engine)
        while engine.create() is not None:
            pass
        engine.sweep()
        with engine.store.read() as tx:
            assert alarms.read(tx, wall_clock=engine.now, beat_expected=False) == []
        assert (engine.job(short).state is State.TIMED_OUT) == (engine.now >= engine.job(short).deadline_at)
        engine.later(1)
    assert engine.job(long).state is State.ACCEPTED


def test_a_cancel_takes_effect_during_an_outage(engine: Engine) -> None:
    go_away(engine)
    ids = [engine.submit() for _ in range(2)]
    with engine.store.write() as tx:
        jobs.note(tx, ids[1], {"cancel_requested_at": tx.now})
    while engine.create() is not None:
        pass
    assert [engine.job(job_id).state for job_id in ids] == [State.ACCEPTED, State.CANCELLED]


def test_answers_in_the_gateways_own_words_hold_no_create_back(engine: Engine, sandbox: Sandbox) -> None:
    for _ in range(FAILURES_TO_OPEN + 1):
        engine.created(create_error="persistence_failed")
    assert posts(sandbox) == FAILURES_TO_OPEN + 1


# a database that is away when the answer comes


def fail_writes(engine: Engine, monkeypatch: pytest.MonkeyPatch, times: int) -> list[float]:
    """Let the claim through and then refuse so many transactions; the pauses that were made."""
    paused: list[float] = []
    engine.context.pause = paused.append
    write, calls = engine.store.write, count()

    def failing(*, durable: bool = True) -> AbstractContextManager[Transaction]:
        if 1 <= next(calls) <= times:
            raise StoreError("the disk is full")
        return write(durable=durable)

    monkeypatch.setattr(engine.store, "write", failing)
    return paused


@pytest.mark.parametrize("times", [1, KEEP_TRIES - 1])
def test_the_id_of_a_paid_job_is_kept_though_the_database_is_away_for_a_moment(
    engine: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    job_id = engine.submit()
    paused = fail_writes(engine, monkeypatch, times)
    assert engine.create() == [FollowUp(Task.LOOK, 20.0)]
    job = engine.job(job_id)
    assert (job.state, job.gateway_id) == (State.WAITING, sandbox.truth()[0]["id"])
    assert paused == [KEEP_AGAIN_AFTER] * times


def test_a_database_that_stays_away_leaves_the_attempt_to_be_found(
    engine: Engine, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = engine.submit(duration=600)
    with monkeypatch.context() as away:
        fail_writes(engine, away, KEEP_TRIES)
        with pytest.raises(StoreError):
            engine.create()
    assert engine.job(job_id).state is State.CREATING
    engine.die_and_start_again()
    engine.sweep()
    assert engine.look_when_due(job_id).gateway_id == sandbox.truth()[0]["id"]
    assert posts(sandbox) == 1


# requests that could never be made


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Submission({"model": MODEL, "webhook": {}}), "webhook"),
        (Submission({"prompt": "p"}), "model"),
        (Submission({"model": MODEL}, reference=""), "reference"),
        (Submission({"model": MODEL}, reference="r" * 201), "reference"),
        (Submission({"model": MODEL}, deadline_seconds=0), "deadline"),
        (Submission({"model": MODEL}, deadline_seconds=float("nan")), "deadline"),
        (Submission({"model": MODEL}, destinations=("bucket",)), "bucket"),
    ],
)
def test_a_job_that_could_never_be_made_is_refused_with_all_that_came_with_it(
    engine: Engine, wanted: Submission, why: str
) -> None:
    with pytest.raises(RequestError, match=why):
        submit(engine.context, [Submission({"model": MODEL}), wanted])
    assert engine.create() is None
