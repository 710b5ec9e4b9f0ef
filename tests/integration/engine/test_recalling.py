"""Webhooks that stop: open jobs come back to the guidance, and some are tried before that is certain."""

import logging
from typing import Any
from unittest.mock import Mock

import pytest

from orchestrator.core.job import Job
from orchestrator.core.learned.hooks import Health, Hooks
from orchestrator.core.learned.lessons import Lesson, LessonKind
from orchestrator.core.learned.recall import RECALLED_A_SECOND
from orchestrator.core.lifecycle import State
from orchestrator.engine import outage, recalling
from orchestrator.engine import overdue as engine_overdue
from orchestrator.engine.alarms import NEWS_WITHIN, AlarmName, read
from orchestrator.engine.pacing import Pacer
from orchestrator.engine.recalling import BELIEVED_WITHIN, begin, recall
from orchestrator.errors import StoreError
from orchestrator.store import estimates, job_lists, jobs, lessons, workers
from orchestrator.store.estimates import EstimateKind
from tests.integration.engine.harness import Engine
from tests.integration.engine.test_pacing import CLASS, ended, know
from tests.integration.store.rows import a_job

ENDPOINT, GUIDANCE = "default|*", 20.0


def wait(engine: Engine, count: int, *, name: str = "job", **facts: Any) -> list[str]:
    """Jobs that are looked at in a quarter of an hour only, since a webhook is to tell of them."""
    given: dict[str, Any] = {
        "created_at": engine.now - 95,
        "accepted_at": engine.now - 95,
        "deadline_at": engine.now + 9_000,
        "hooked": True,
        "ending_class": CLASS,
        "provider": "google",
        "due_at": engine.now + 900,
    }
    new = [a_job(f"{name}_{number:04}", State.WAITING, **given | facts) for number in range(count)]
    with engine.store.write() as tx:
        jobs.add(tx, new)
    return [job.id for job in new]


def silent(engine: Engine) -> None:
    with engine.store.write() as tx:
        begin(tx, ENDPOINT)


def sign_of_life(engine: Engine) -> None:
    with engine.store.write() as tx:
        outage.sign_of_life(tx)


def due_in(engine: Engine, job_id: str) -> float:
    job: Job = engine.job(job_id)
    assert job.due_at is not None
    return job.due_at - engine.now


def test_jobs_come_back_within_the_guidance_spread_over_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalling, "AT_A_TIME", 7)
    chances = iter(range(10_000))
    engine.context.random = lambda: next(chances) % 20 / 20
    ids = wait(engine, 40)
    soon = wait(engine, 1, name="soon", due_at=engine.now + 3)
    silent(engine)
    recall(engine.context)
    waits = sorted(due_in(engine, job_id) for job_id in ids)
    assert waits[-1] <= GUIDANCE + 40 / RECALLED_A_SECOND
    assert waits[0] < 2
    assert waits[20] > 5, "not all at once"
    assert due_in(engine, soon[0]) == pytest.approx(3), "never later than it was"


def test_no_look_comes_before_the_gateway_allows_it(engine: Engine) -> None:
    (looked,) = wait(engine, 1, name="looked", last_look_at=engine.now - 1, poll_after=50.0)
    (created,) = wait(engine, 1, name="created", created_at=engine.now - 2)
    (odd,) = wait(engine, 1, name="odd", last_look_at=engine.now - 1, poll_after=-50.0)
    silent(engine)
    recall(engine.context)
    assert due_in(engine, looked) == pytest.approx(49)
    assert due_in(engine, created) == pytest.approx(18)
    assert due_in(engine, odd) >= 19 - 1e-3, "a hint that is none"


def test_more_jobs_than_may_be_looked_at_come_back_over_a_longer_time(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalling, "RECALLED_A_SECOND", 1)
    monkeypatch.setattr(recalling, "AT_A_TIME", 10)
    ids = wait(engine, 100)
    silent(engine)
    recall(engine.context)
    waits = [due_in(engine, job_id) for job_id in ids]
    assert 85 < max(waits) <= 111


def test_a_look_that_was_placed_by_the_old_plan_comes_back_too(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    wait(engine, 3)
    silent(engine)
    recall(engine.context)
    engine.later(1.0)
    (late,) = wait(engine, 1, name="late")
    recall(engine.context)
    assert due_in(engine, late) <= GUIDANCE + 1
    engine.later(BELIEVED_WITHIN)
    with caplog.at_level(logging.WARNING):
        recall(engine.context)
    (told,) = [record.facts for record in caplog.records if record.message == "recalled"]  # type: ignore[attr-defined]
    assert told["jobs"] == 4
    (later,) = wait(engine, 1, name="later")
    recall(engine.context)
    assert due_in(engine, later) == pytest.approx(900), "it is over"


def test_where_one_provider_fell_silent_only_its_jobs_come_back(engine: Engine) -> None:
    its, others = wait(engine, 3), wait(engine, 3, name="other", provider="x-ai", due_at=engine.now + 950)
    with engine.store.write() as tx:
        begin(tx, "default|google")
    recall(engine.context)
    assert all(due_in(engine, job_id) <= GUIDANCE + 1 for job_id in its)
    assert all(due_in(engine, job_id) > 900 for job_id in others)


def overdue(engine: Engine, *, seconds: float = 9.0, per_second: float = 1.0) -> None:
    """Webhooks came at a rate, and have not come for some time."""
    hooks = Hooks(per_second=per_second, last_came_at=engine.now - seconds, health=Health.HEALTHY)
    know(engine, EstimateKind.HOOKS, ENDPOINT, hooks)
    know(engine, EstimateKind.HOOKS, "default|google", hooks)
    know(engine, EstimateKind.ENDINGS, CLASS, ended(200))
    Pacer(engine.context).refresh()


def test_some_jobs_that_should_have_ended_are_tried_where_webhooks_seem_to_have_stopped(
    engine: Engine,
) -> None:
    overdue(engine)
    old = wait(engine, 12, name="old", created_at=engine.now - 140)
    young = wait(engine, 3, name="young", created_at=engine.now - 30)
    fresh = wait(engine, 1, name="fresh", created_at=engine.now - 140, last_look_at=engine.now - 5)
    recall(engine.context)
    now_due = [job_id for job_id in old + fresh if due_in(engine, job_id) <= 15]
    assert len(now_due) == 8
    assert all(due_in(engine, job_id) == pytest.approx(900) for job_id in young)
    assert due_in(engine, fresh[0]) >= 15


def test_it_is_tried_less_and_less_until_a_webhook_comes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_overdue, "count", lambda *_: {})  # it never becomes certain
    overdue(engine)
    tried = []
    for second in range(40):
        wait(engine, 8, name=f"a{second}", created_at=engine.now - 140)
        before = [job.due_at for job in all_jobs(engine)]
        recall(engine.context)
        if [job.due_at for job in all_jobs(engine)] != before:
            tried.append(second)
        engine.later(1.0)
    assert tried == [0, 2, 6, 14, 30]


def test_so_many_that_are_overdue_are_a_silence_without_a_look_and_all_come_back(engine: Engine) -> None:
    overdue(engine, seconds=30.0)
    ids = wait(engine, 40, created_at=engine.now - 125)
    recall(engine.context)
    with engine.store.read() as tx:
        assert estimates.get(tx, EstimateKind.HOOKS, ENDPOINT)["health"] == Health.SILENT
    recall(engine.context)
    assert all(due_in(engine, job_id) <= GUIDANCE for job_id in ids)


@pytest.mark.parametrize(
    ("channel", "came", "health"),
    [
        ("default|google", True, Health.HEALTHY),
        ("default|google", False, Health.SILENT),
        ("other|google", True, Health.SILENT),
    ],
)
def test_webhooks_that_came_and_are_not_folded_yet_are_not_missing(
    engine: Engine, channel: str, came: bool, health: Health
) -> None:
    """At hundreds a second a dozen come while one batch is folded."""
    overdue(engine, seconds=30.0)
    wait(engine, 40, created_at=engine.now - 125)
    with engine.store.write() as tx:
        lessons.note(tx, None, [Lesson(LessonKind.ENDED, 0.0, {"channel": channel, "came": came})])
    recall(engine.context)
    with engine.store.read() as tx:
        assert estimates.get(tx, EstimateKind.HOOKS, ENDPOINT)["health"] == health


def test_jobs_that_are_too_young_to_have_ended_make_no_silence(engine: Engine) -> None:
    overdue(engine, seconds=30.0)
    ids = wait(engine, 40, created_at=engine.now - 45)
    recall(engine.context)
    with engine.store.read() as tx:
        assert estimates.get(tx, EstimateKind.HOOKS, ENDPOINT)["health"] == Health.HEALTHY
    assert all(due_in(engine, job_id) == pytest.approx(900) for job_id in ids)


def all_jobs(engine: Engine) -> list[Job]:
    with engine.store.read() as tx:
        return job_lists.recent(tx, limit=1_000)


@pytest.mark.parametrize(
    ("restarted", "back", "health"),
    [
        (True, False, Health.HEALTHY),  # the receiver starts with the worker: what it missed is not known yet
        (True, True, Health.HEALTHY),
        (False, True, Health.HEALTHY),
        (False, False, Health.SILENT),  # nobody knows when it will be back: then looks must tell
    ],
)
def test_what_came_while_our_receiver_was_away_is_not_missing(
    engine: Engine, restarted: bool, back: bool, health: Health
) -> None:
    overdue(engine, seconds=30.0)
    wait(engine, 40, created_at=engine.now - 125)
    sign_of_life(engine)
    engine.later(60)
    if restarted:
        engine.die_and_start_again()
    if back:
        sign_of_life(engine)
    recall(engine.context)
    with engine.store.read() as tx:
        assert estimates.get(tx, EstimateKind.HOOKS, ENDPOINT)["health"] == health
        tried = estimates.get(tx, EstimateKind.PROBES, ENDPOINT)
    assert bool(tried) == (health is Health.HEALTHY and back), (
        "they are left to the gateway when they are due"
    )


def test_what_does_not_come_after_an_outage_is_missing_again(engine: Engine) -> None:
    overdue(engine, seconds=30.0)
    sign_of_life(engine)
    engine.later(60)
    sign_of_life(engine)
    wait(engine, 40, created_at=engine.now)
    for _ in range(14):
        engine.later(10)
        sign_of_life(engine)
    recall(engine.context)
    with engine.store.read() as tx:
        assert estimates.get(tx, EstimateKind.HOOKS, ENDPOINT)["health"] == Health.SILENT


def test_a_silence_is_kept_together_with_the_recall_that_it_causes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept alone by a worker that dies then, it would be known, and nobody would bring the jobs back."""

    def die(*_: object) -> None:
        raise StoreError("killed")

    overdue(engine, seconds=30.0)
    wait(engine, 40, created_at=engine.now - 125)
    with monkeypatch.context() as patched:
        patched.setattr(recalling, "begin", die)
        with pytest.raises(StoreError):
            recall(engine.context)
    engine.later(1.0)
    recall(engine.context)
    with engine.store.read() as tx:
        assert estimates.names(tx, EstimateKind.RECALLS) == [ENDPOINT]


def test_in_a_quiet_night_nothing_is_written(engine: Engine) -> None:
    overdue(engine, seconds=30_000.0)
    with engine.store.read() as tx:
        before = workers.every_pulse(tx)
    for _ in range(3):
        recall(engine.context)
        engine.later(1.0)
    with engine.store.read() as tx:
        assert workers.every_pulse(tx) == before
    (job_id,) = wait(engine, 1, created_at=engine.now - 140)
    recall(engine.context)
    assert due_in(engine, job_id) <= GUIDANCE


def test_what_is_overdue_is_counted_only_where_a_job_may_be_told_of(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred endpoints that are quiet cost nothing each second because of one that is not."""
    overdue(engine, seconds=30.0)
    know(engine, EstimateKind.HOOKS, "other|*", Hooks(per_second=1.0, last_came_at=engine.now - 30.0))
    wait(engine, 1, created_at=engine.now - 45)
    recall(engine.context)  # each is tried once
    count = Mock(return_value={})
    monkeypatch.setattr(engine_overdue, "count", count)
    engine.later(1.0)
    recall(engine.context)
    count.assert_called_once_with(engine.context, [ENDPOINT])


def test_signs_of_life_are_read_once_for_all_endpoints(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    awaited_since = Mock(wraps=outage.awaited_since)
    monkeypatch.setattr(outage, "awaited_since", awaited_since)
    overdue(engine, seconds=30.0)
    wait(engine, 40, created_at=engine.now - 125)
    found = engine_overdue.count(engine.context, [ENDPOINT, "second|*", "third|*"])
    assert ([*found], awaited_since.call_count) == ([ENDPOINT], 1)


@pytest.mark.parametrize(("seconds", "per_second"), [(7.0, 1.0), (400.0, 0.01)])
def test_nothing_is_tried_where_a_pause_is_as_usual(
    engine: Engine, seconds: float, per_second: float
) -> None:
    overdue(engine, seconds=seconds - 3, per_second=per_second)  # what is told takes three seconds here
    (job_id,) = wait(engine, 1, created_at=engine.now - 140)
    recall(engine.context)
    assert due_in(engine, job_id) == pytest.approx(900)


def test_more_rescues_than_foreseen_are_an_alarm_in_words(engine: Engine) -> None:
    known = {"followed": 100.0, "found": 9.0, "foreseen": 2.0, "variance": 1.96}
    with engine.store.write() as tx:
        estimates.lock(tx, EstimateKind.RESCUES, "default|google")
        estimates.write(tx, EstimateKind.RESCUES, "default|google", known)
        assert read(tx, wall_clock=tx.now, beat_expected=False) == []
        estimates.write(tx, EstimateKind.RESCUES, "default|google", known | {"found": 12.0})
        (alarm,) = read(tx, wall_clock=tx.now, beat_expected=False)
    assert (alarm.name, alarm.about) == (AlarmName.HOOKS_ILL, "default|google")
    engine.later(NEWS_WITHIN + 1.0)
    with engine.store.read() as tx:  # of an endpoint that nobody uses any more
        assert read(tx, wall_clock=tx.now, beat_expected=False) == []
    assert alarm.detail.startswith(
        "looks told 12 % of the latest 100 ends of default|google, 2 % were foreseen, 11 %"
    )
