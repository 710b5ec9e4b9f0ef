"""A tenant that has enough under way waits with the rest, is told why, and goes on by itself."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, insert, update

from orchestrator.core.job import HandOffState, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine import alarms
from orchestrator.engine.brake import BELIEVED_FOR, FORGOTTEN_AFTER, HOLD, MOST_LEFT
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.resolve import cancel
from orchestrator.store import jobs, schema, tenants
from orchestrator.store.tenants import Tenant
from tests.integration.engine.harness import Engine, NewEngine
from tests.sandbox.harness import Sandbox


def a_tenant(engine: Engine, name: str = "default", **limits: Any) -> None:
    """Make a tenant if it is not there, and give it limits of its own."""
    with engine.store.write() as tx:
        if name != "default":
            tx.execute(insert(schema.tenants).values(id=name, name=name))
        if limits:
            tx.execute(update(schema.tenants).where(schema.tenants.c.id == name).values(**limits))


def tenant(engine: Engine, name: str = "default") -> Tenant:
    with engine.store.read() as tx:
        return tenants.get(tx, name)


def give_to(engine: Engine, name: str, job_id: str) -> None:
    with engine.store.write() as tx:
        jobs.note(tx, job_id, {"tenant_id": name})


def create_all(engine: Engine) -> None:
    while engine.create() is not None:
        pass


def states(engine: Engine, ids: list[str]) -> list[State]:
    return [engine.job(job_id).state for job_id in ids]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.msg for one in caplog.records if one.msg in ("create_held", "tenant_released")]


def costing(engine: Engine, usd: float | None, state: State = State.COMPLETED) -> str:
    """A job of long ago in this state, at this price."""
    job_id = engine.submit()
    with engine.store.write() as tx:
        jobs.note(tx, job_id, {"state": state, "due_at": None, "cost_usd": usd})
    return job_id


# how many are open


def test_the_job_that_would_be_one_too_many_is_not_touched_and_its_tenant_is_told_why(
    new_engine: NewEngine, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orchestrator")
    engine = new_engine(max_open_jobs=2)
    ids = [engine.submit(duration=600) for _ in range(4)]
    engine.create()
    engine.create()
    assert engine.create() == [FollowUp(Task.CREATE, HOLD)]
    assert states(engine, ids) == [State.WAITING] * 2 + [State.ACCEPTED] * 2
    assert engine.create() is None, "nobody asks again for a while"
    held = engine.job(ids[2])
    assert (held.attempts, held.leased_by, held.lease_until) == (0, None, None)
    assert held.due_at == held.accepted_at, "it keeps its place in the queue"
    assert engine.timeline(ids[2]) == []
    assert tenant(engine).held_reason == "2 jobs are open and 2 may be"
    assert tenant(engine).held_until == engine.now + HOLD
    engine.later(HOLD)
    assert engine.create() == [FollowUp(Task.CREATE, HOLD)], "still too many"
    assert len(sandbox.truth()) == 2
    assert told(caplog) == ["create_held"], "once, however often it is asked"


def test_when_places_become_free_the_longest_waiting_get_them(
    new_engine: NewEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orchestrator")
    engine = new_engine(max_open_jobs=2)
    ids = [engine.submit() for _ in range(5)]
    create_all(engine)
    assert engine.look_when_due(ids[0]).state is State.COMPLETED
    create_all(engine)
    assert states(engine, ids) == [State.COMPLETED] * 2 + [State.WAITING] * 2 + [State.ACCEPTED]
    assert told(caplog) == ["create_held"], "that one place became free meanwhile is no news"
    engine.look_when_due(ids[2])
    create_all(engine)
    assert engine.look_when_due(ids[4]).state is State.COMPLETED
    assert tenant(engine).held_reason is None
    assert told(caplog) == ["create_held", "tenant_released"]


def test_an_uncertain_create_takes_a_place(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=1)
    ids = [engine.submit(create_error="cut"), engine.submit()]
    create_all(engine)
    assert states(engine, ids) == [State.UNCERTAIN, State.ACCEPTED]
    assert tenant(engine).held_reason == "1 job is open and 1 may be"


def test_a_limit_that_was_lowered_ends_nothing_and_lets_nothing_in(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=3)
    ids = [engine.submit(duration=600) for _ in range(4)]
    create_all(engine)
    a_tenant(engine, max_open_jobs=1)
    engine.later(HOLD)
    create_all(engine)
    assert states(engine, ids) == [State.WAITING] * 3 + [State.ACCEPTED]
    assert tenant(engine).held_reason == "more jobs are open than the 1 that may be"


def test_one_tenant_that_is_held_does_not_hold_up_another(engine: Engine) -> None:
    a_tenant(engine, max_open_jobs=1)
    a_tenant(engine, "other")
    ids = [engine.submit(duration=600) for _ in range(6)]
    for job_id in ids[3:]:
        give_to(engine, "other", job_id)
    create_all(engine)
    assert states(engine, ids) == [State.WAITING, State.ACCEPTED, State.ACCEPTED] + [State.WAITING] * 3
    assert tenant(engine, "other").held_reason is None


def test_a_tenant_s_own_limit_overrides_the_settings_and_0_is_none(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=1)
    a_tenant(engine, max_open_jobs=0)
    ids = [engine.submit(duration=600) for _ in range(3)]
    create_all(engine)
    assert states(engine, ids) == [State.WAITING] * 3


def test_a_limit_that_is_taken_away_releases_the_tenant(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orchestrator")
    a_tenant(engine, max_open_jobs=1)
    ids = [engine.submit(duration=600) for _ in range(3)]
    create_all(engine)
    a_tenant(engine, max_open_jobs=None)
    engine.later(HOLD)
    create_all(engine)
    assert states(engine, ids) == [State.WAITING] * 3
    assert told(caplog) == ["create_held", "tenant_released"]


@contextmanager
def counts(engine: Engine) -> Iterator[list[str]]:
    """The counts of open jobs that are made meanwhile."""
    made: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "count(" in statement:
            made.append(statement)

    event.listen(engine.store.engine, "before_cursor_execute", listen)
    yield made
    event.remove(engine.store.engine, "before_cursor_execute", listen)


def test_one_count_serves_all_creates_that_fit_by_it(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=5)
    ids = [engine.submit(duration=600) for _ in range(6)]
    with counts(engine) as made:
        for _ in range(5):
            engine.create()
        assert len(made) == 1
        assert tenant(engine).free_places == 0
        create_all(engine)
        assert len(made) == 2, "none is left, but some job may have ended"
    assert states(engine, ids) == [State.WAITING] * 5 + [State.ACCEPTED]


def test_a_place_that_became_free_is_found_by_the_next_count(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=2)
    ids = [engine.submit() for _ in range(3)]
    engine.create()
    engine.create()
    engine.look_when_due(ids[0])
    engine.create()
    assert engine.job(ids[2]).state is State.WAITING


def test_a_changed_limit_takes_effect_when_the_count_is_believed_no_longer(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=4)
    ids = [engine.submit(duration=600) for _ in range(4)]
    engine.create()
    a_tenant(engine, max_open_jobs=2)
    engine.later(BELIEVED_FOR - 0.1)
    engine.create()
    engine.later(0.1)
    create_all(engine)
    assert states(engine, ids) == [State.WAITING] * 2 + [State.ACCEPTED] * 2
    a_tenant(engine, max_open_jobs=3)
    engine.later(BELIEVED_FOR)
    create_all(engine)
    assert states(engine, ids) == [State.WAITING] * 3 + [State.ACCEPTED]


def test_a_count_leaves_what_both_limits_allow(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=5, spend_cap_usd=10)
    costing(engine, 2.0)
    ids = [engine.submit(duration=600) for _ in range(6)]
    engine.create()
    assert tenant(engine).free_places == 3, "four more at 2.00, one of them taken"
    create_all(engine)
    assert states(engine, ids) == [State.WAITING] * 4 + [State.ACCEPTED] * 2


def test_a_cap_that_a_million_jobs_would_not_reach_is_kept_too(new_engine: NewEngine) -> None:
    engine = new_engine(spend_cap_usd=1e6)
    costing(engine, 1e-6)
    engine.created(duration=600)
    assert tenant(engine).free_places == MOST_LEFT - 1


# what holds for a job that is held


def test_a_held_job_whose_deadline_passes_is_timed_out_by_the_sweep(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=1)
    first, held = engine.submit(duration=600), engine.submit(deadline_seconds=60)
    create_all(engine)
    engine.later(59)
    create_all(engine)
    engine.sweep()
    assert engine.job(held).state is State.ACCEPTED
    engine.later(1)
    assert FollowUp(Task.HAND_OFF) in engine.sweep()
    job = engine.job(held)
    assert (job.state, job.won_by, job.attempts) == (State.TIMED_OUT, Source.CLOCK, 0)
    assert [one.seen for one in engine.timeline(held)] == [Seen.DEADLINE]
    engine.hand_off_all()
    assert engine.states(held) == [HandOffState.DONE]
    assert engine.job(first).state is State.WAITING


def test_a_held_job_is_cancelled_at_once(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=1)
    _, held = engine.submit(duration=600), engine.submit()
    create_all(engine)
    job, follow_ups = cancel(engine.context, held)
    assert job.state is State.CANCELLED
    assert FollowUp(Task.HAND_OFF) in follow_ups


def test_a_hold_that_nobody_asked_about_again_is_over_and_the_next_is_a_new_one(
    new_engine: NewEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orchestrator")
    engine = new_engine(max_open_jobs=1)
    _, held = engine.submit(duration=6_000), engine.submit()
    create_all(engine)
    cancel(engine.context, held)
    engine.later(HOLD + FORGOTTEN_AFTER + 1)
    engine.submit()
    create_all(engine)
    assert told(caplog) == ["create_held", "create_held"]


def test_a_held_backlog_sends_for_nobody(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=1)
    for _ in range(9):
        engine.submit(duration=600)
    create_all(engine)
    assert not [one for one in engine.sweep() if one.task is Task.CREATE and not one.delay]


def test_what_is_held_is_no_sign_of_too_few_workers(new_engine: NewEngine) -> None:
    engine = new_engine(max_open_jobs=1)
    for _ in range(3):
        engine.submit(duration=6_000)
    create_all(engine)
    for seconds in (100, 1, HOLD):
        engine.later(seconds)
        engine.sweep()
        engine.create()
        with engine.store.read() as tx:
            found = alarms.read(tx, wall_clock=engine.now, beat_expected=False)
        assert "create" not in " ".join(alarm.detail for alarm in found)


# what is spent


def test_what_is_spent_holds_further_creates_until_it_is_out_of_the_window(new_engine: NewEngine) -> None:
    engine = new_engine(spend_cap_usd=40, spend_window_days=30)
    costing(engine, 40.2)
    engine.later(86_400)
    job_id = engine.submit(deadline_seconds=60 * 86_400)
    create_all(engine)
    assert engine.job(job_id).state is State.ACCEPTED
    assert tenant(engine).held_reason == "US$ 40.20 of 40.00 in 30 days are spent"
    engine.later(29 * 86_400 - 1)
    create_all(engine)
    assert engine.job(job_id).state is State.ACCEPTED
    engine.later(HOLD)
    create_all(engine)
    assert engine.job(job_id).state is State.WAITING


def test_open_jobs_are_expected_to_cost_what_others_did(new_engine: NewEngine) -> None:
    engine = new_engine(spend_cap_usd=10, spend_window_days=1.5)
    costing(engine, 3.0)
    costing(engine, 1.0)
    costing(engine, 2.0, State.FAILED)  # a cost is a cost, whatever came of it
    ids = [engine.submit(duration=600) for _ in range(4)]
    create_all(engine)
    assert states(engine, ids) == [State.WAITING] * 2 + [State.ACCEPTED] * 2
    assert tenant(engine).held_reason == (
        "US$ 10.00 of 10.00 in 1.5 days are spent or expected by open jobs, and one more takes about 2.00"
    )


def test_a_job_that_completed_without_telling_its_cost_is_taken_for_one_of_the_usual_cost(
    new_engine: NewEngine,
) -> None:
    engine = new_engine(spend_cap_usd=10)
    costing(engine, 5.0)
    costing(engine, None)
    job_id = engine.submit()
    create_all(engine)
    assert engine.job(job_id).state is State.ACCEPTED
    assert tenant(engine).held_reason == "US$ 10.00 of 10.00 in 30 days are spent"


def test_while_no_cost_is_known_nothing_is_held(new_engine: NewEngine) -> None:
    engine = new_engine(spend_cap_usd=0.01)
    costing(engine, None)
    ids = [engine.submit(duration=600) for _ in range(3)]
    create_all(engine)
    assert states(engine, ids) == [State.WAITING] * 3


def test_the_cost_that_the_gateway_tells_is_what_counts(new_engine: NewEngine) -> None:
    engine = new_engine(spend_cap_usd=0.01)
    engine.look_when_due(engine.created())
    job_id = engine.submit()
    create_all(engine)
    assert engine.job(job_id).state is State.ACCEPTED
    assert "of 0.01 in 30 days are spent" in (tenant(engine).held_reason or "")


def test_a_sum_over_many_jobs_is_believed_for_a_while(
    new_engine: NewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.engine.brake.KEPT_PER_JOB", 5.0)
    engine = new_engine(spend_cap_usd=10)
    costing(engine, 1.0)
    engine.created(duration=600)
    costing(engine, 100.0)
    assert engine.job(engine.created(duration=600)).state is State.WAITING, "the sum is of just before"
    engine.later(5.1)
    held = engine.submit()
    create_all(engine)
    assert engine.job(held).state is State.ACCEPTED
