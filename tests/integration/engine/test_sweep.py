"""Sweeping: messages may all be lost, rows say what is due."""

import logging

import pytest

from orchestrator.core.lifecycle import State
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.housekeeping import EVERY
from orchestrator.engine.purge import DAY
from orchestrator.engine.sweep import HANDS, SOON
from orchestrator.store import due_jobs, inbox, jobs, workers
from orchestrator.store.database import WORKER_DEAD_AFTER
from orchestrator.store.workers import Pulse
from tests.integration.engine.harness import Engine
from tests.sandbox.harness import Receiver


def sent(follow_ups: list[FollowUp], task: Task) -> list[float]:
    return [one.delay for one in follow_ups if one.task is task]


def test_work_whose_message_was_lost_is_found(engine: Engine) -> None:
    engine.submit()
    assert engine.sweep() == [FollowUp(Task.CREATE)]
    engine.create()
    engine.later(20)
    assert engine.sweep() == [FollowUp(Task.LOOK)]
    engine.look()
    assert engine.sweep() == [FollowUp(Task.HAND_OFF)]
    engine.hand_off()
    assert engine.sweep() == []


def test_what_is_due_soon_is_armed_and_what_is_far_off_is_left_to_a_later_sweep(engine: Engine) -> None:
    engine.created(duration=600)
    late = engine.created(duration=600)
    with engine.store.write() as tx:
        jobs.note(tx, late, {"due_at": engine.now + 21})
    engine.later(20 - SOON)
    assert sent(engine.sweep(), Task.LOOK) == [SOON]
    engine.later(1)
    assert sent(engine.sweep(), Task.LOOK) == [SOON - 1, SOON]


def test_a_crowd_that_is_due_gets_a_few_hands_not_a_message_each(engine: Engine) -> None:
    for _ in range(HANDS + 5):
        engine.submit()
    assert sent(engine.sweep(), Task.CREATE) == [0.0] * HANDS


def test_what_somebody_is_doing_is_not_sent_for_again(engine: Engine) -> None:
    engine.submit()
    with engine.store.write() as tx:
        due_jobs.claim(tx, due_jobs.CREATES, worker=engine.context.worker, limit=1, lease=60)
    assert engine.sweep() == []
    engine.now += WORKER_DEAD_AFTER
    assert engine.sweep() == [], "who sweeps is alive, however late its heartbeat"
    engine.now += WORKER_DEAD_AFTER
    assert engine.sweep_by_another() == [FollowUp(Task.CREATE)]


def test_an_abandoned_create_becomes_uncertain_and_is_searched_for(engine: Engine) -> None:
    job_id = engine.submit()
    with engine.store.write() as tx:
        (job,) = due_jobs.claim(tx, due_jobs.CREATES, worker=engine.context.worker, limit=1, lease=60)
        assert jobs.move_if_still(tx, job, {"state": State.CREATING, "due_at": None})
    assert engine.sweep() == []
    engine.later(60)
    assert sent(engine.sweep(), Task.LOOK)[0] == 5.0
    job = engine.job(job_id)
    assert (job.state, job.leased_by) == (State.UNCERTAIN, None)
    assert "gone" in (engine.timeline(job_id)[-1].note or "")


def test_a_sweep_leaves_its_pulse(engine: Engine) -> None:
    engine.sweep()
    with engine.store.read() as tx:
        assert workers.last_pulse(tx, Pulse.SWEEP) == engine.now


def test_the_house_is_kept_once_a_minute_by_the_settings(
    hooked: Engine, hooks: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "orchestrator")
    job_id = hooked.created()
    open_id = hooked.created(duration=600)
    hooked.receive(hooks.wait(1, "video.completed")[0])
    hooked.keep_house()
    kept = len(hooked.timeline(job_id))
    assert kept
    hooked.later(hooked.settings.retain_inbox_days * DAY + EVERY)
    hooked.keep_house()
    with hooked.store.read() as tx:
        assert inbox.recent(tx, limit=9) == []
    assert len(hooked.timeline(job_id)) == kept, "kept for longer"
    hooked.later(hooked.settings.retain_observations_days * DAY)
    hooked.keep_house()
    assert hooked.timeline(job_id) == []
    assert hooked.timeline(open_id) != [], "it is not settled"
    assert hooked.job(job_id).state is State.COMPLETED
    assert [record.message for record in caplog.records].count("swept") == 2


def test_between_two_times_of_housekeeping_nothing_is_pruned(hooked: Engine, hooks: Receiver) -> None:
    object.__setattr__(hooked.settings, "retain_inbox_days", 1 / DAY)
    hooked.created()
    hooked.keep_house()
    hooked.receive(hooks.wait(1, "video.completed")[0])
    hooked.later(EVERY - 1)
    hooked.keep_house()
    with hooked.store.read() as tx:
        assert len(inbox.recent(tx, limit=9)) == 1
    hooked.later(1)
    hooked.keep_house()
    with hooked.store.read() as tx:
        assert inbox.recent(tx, limit=9) == []
