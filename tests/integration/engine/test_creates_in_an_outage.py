"""Creates while the gateway or the database is away."""

from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from unittest.mock import Mock

import pytest

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, Breakers
from orchestrator.core.lifecycle import State
from orchestrator.engine import alarms, gateway_away
from orchestrator.engine.create import KEEP_AGAIN_AFTER, KEEP_TRIES
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.errors import StoreError
from orchestrator.store import estimates, job_lists, jobs
from orchestrator.store.database import Transaction
from orchestrator.store.due_jobs import PUT_OFF_AT_ONCE
from orchestrator.store.estimates import EstimateKind
from tests.integration.engine.harness import Engine
from tests.integration.engine.test_create import posts
from tests.sandbox.harness import Sandbox


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


def test_a_process_that_leaves_the_gateway_alone_hears_that_another_got_an_answer(engine: Engine) -> None:
    go_away(engine)
    ours = engine.context.breakers
    go_away(engine)
    theirs = engine.context.breakers
    engine.later(FIRST_PAUSE)
    assert ours.allows(engine.now, ("default", None))
    ours.failed(("default", None), engine.now)  # our pause is twice as long now
    engine.later(1)
    first, second = engine.submit(), engine.submit()
    engine.create()  # theirs is over: one tries it for all
    assert engine.job(first).state is State.WAITING
    engine.context.breakers = ours
    gateway_away.share(engine.context)
    engine.create()
    assert engine.job(second).state is State.ACCEPTED, "nobody told us"
    engine.context.breakers = theirs
    gateway_away.share(engine.context)
    engine.context.breakers = ours
    gateway_away.share(engine.context)
    engine.later(FIRST_PAUSE)
    engine.create()
    assert engine.job(second).state is State.WAITING, "and nearly half of our own pause is still to come"


def test_news_of_a_gateway_wait_for_a_database_that_is_away(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_away(engine)
    engine.context.breakers.worked(("default", None))
    with monkeypatch.context() as away:
        away.setattr(engine.store, "write", Mock(side_effect=StoreError("away", hint="")))
        with pytest.raises(StoreError):
            gateway_away.share(engine.context)
    gateway_away.share(engine.context)
    with engine.store.read() as tx:
        assert estimates.get(tx, EstimateKind.ANSWERS, "default") == {"at": engine.now}


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
        kept = sorted(job_lists.recent(tx, limit=9_999), key=lambda job: job.due_at or 0.0)
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


def fail_writes(engine: Engine, monkeypatch: pytest.MonkeyPatch, times: int) -> list[float]:
    """Let the claim through and then refuse so many transactions; the pauses that were made."""
    paused: list[float] = []
    engine.context.pause = paused.append
    write, calls = engine.store.write, count()

    def failing(**how: bool) -> AbstractContextManager[Transaction]:
        if 1 <= next(calls) <= times:
            raise StoreError("the disk is full")
        return write(**how)

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
