"""Alarms: what is wrong with the whole, by rows and by clocks that the test tells."""

import logging

import pytest

from orchestrator.core.breaker import FAILURES_TO_OPEN
from orchestrator.core.learned.hooks import Health
from orchestrator.engine import alarms, gateway_away, hook_health
from orchestrator.engine.alarms import (
    AWAY_FOR,
    BEHIND_AFTER,
    CLOCK_MAY_DIFFER,
    FIRST_BEAT_WITHIN,
    MOST_TOLD,
    OTHERS,
    PULSE_IS_LATE,
    Alarm,
    AlarmName,
    Bell,
)
from orchestrator.engine.hook_health import Standing
from orchestrator.engine.sweep import sweep
from tests.integration.engine.harness import Engine, NewEngine


def ringing(engine: Engine, *, clock_off: float = 0.0, beat_expected: bool = False) -> dict[AlarmName, str]:
    with engine.store.read() as tx:
        found = alarms.read(tx, wall_clock=engine.now + clock_off, beat_expected=beat_expected)
    return {alarm.name: alarm.detail for alarm in found}


def test_before_anything_ran_silence_is_no_alarm(engine: Engine) -> None:
    engine.later(PULSE_IS_LATE * 10)
    assert ringing(engine, beat_expected=True) == {}


def test_sweeps_that_stopped_are_an_alarm_until_the_next(engine: Engine) -> None:
    engine.sweep()
    engine.later(PULSE_IS_LATE)
    assert ringing(engine) == {}
    engine.later(1)
    assert ringing(engine) == {AlarmName.NO_SWEEP: "no worker swept for 11 s"}
    engine.sweep()
    assert ringing(engine) == {}


def test_a_beat_that_is_never_heard_is_an_alarm_where_there_should_be_one(engine: Engine) -> None:
    engine.later(FIRST_BEAT_WITHIN)
    engine.sweep()
    assert ringing(engine, beat_expected=True) == {}
    engine.later(1)
    assert ringing(engine) == {}
    assert set(ringing(engine, beat_expected=True)) == {AlarmName.NO_BEAT}
    sweep(engine.context, from_beat=True)
    assert ringing(engine, beat_expected=True) == {}


def test_a_gateway_that_is_away_is_an_alarm_as_long_as_it_is_left_alone(new_engine: NewEngine) -> None:
    engine = new_engine(gateway_url="http://127.0.0.1:9/v1")
    for _ in range(FAILURES_TO_OPEN - 1):
        engine.created()
    gateway_away.share(engine.context)
    assert ringing(engine) == {}
    engine.created()
    gateway_away.share(engine.context)
    assert set(ringing(engine)) == {AlarmName.GATEWAY_AWAY}
    assert "orchestrator check" in ringing(engine)[AlarmName.GATEWAY_AWAY]
    engine.later(AWAY_FOR)
    gateway_away.share(engine.context)
    assert AlarmName.GATEWAY_AWAY not in ringing(engine), "nothing was asked since, so nobody knows"
    engine.context.breakers.failed(("default", None), engine.now)
    engine.context.breakers.allows(engine.now, ("default", None))
    gateway_away.share(engine.context)
    assert AlarmName.GATEWAY_AWAY in ringing(engine), "it is tried again"
    engine.context.breakers.worked(("default", None))
    engine.later(AWAY_FOR)
    gateway_away.share(engine.context)
    assert AlarmName.GATEWAY_AWAY not in ringing(engine)


def test_alarms_of_thousands_of_accounts_are_told_as_many_as_anybody_reads(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"account_{number:04}" for number in range(MOST_TOLD + 2_000)]
    ill = [Standing(name, None, Health.SILENT, 0.0, "the latest 12 did not come", None) for name in names]
    monkeypatch.setattr(hook_health, "silent", lambda *_, **__: reversed(ill))
    with engine.store.read() as tx:
        found = alarms.read(tx, wall_clock=engine.now, beat_expected=False)
    assert [one.about for one in found] == [*names[:MOST_TOLD], OTHERS], "always the same ones"
    assert {one.name for one in found} == {AlarmName.HOOKS_SILENT}
    assert found[-1].detail.startswith("and 2000 more")


def test_each_kind_of_work_that_nobody_takes_is_an_alarm(engine: Engine) -> None:
    job_id = engine.submit()
    for act, work in ((engine.create, "create"), (engine.look, "look"), (engine.hand_off, "hand_off")):
        engine.later(max(0.0, (engine.job(job_id).due_at or engine.now) - engine.now))
        engine.later(BEHIND_AFTER)
        engine.sweep_by_another()
        assert ringing(engine) == {}
        engine.later(1)
        engine.sweep_by_another()
        said = ringing(engine)
        assert set(said) == {AlarmName.BEHIND}
        assert said[AlarmName.BEHIND].startswith(f"a {work}"), said
        assert act() is not None
        assert ringing(engine) == {}


def test_a_clock_that_is_not_the_databases_is_an_alarm(engine: Engine) -> None:
    assert ringing(engine, clock_off=CLOCK_MAY_DIFFER) == {}
    assert set(ringing(engine, clock_off=CLOCK_MAY_DIFFER + 1)) == {AlarmName.CLOCK_OFF}
    assert "behind the database" in ringing(engine, clock_off=-600)[AlarmName.CLOCK_OFF]


def test_an_alarm_is_logged_when_it_begins_and_when_it_is_over(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    bell = Bell()
    for clock_off in (0, 100, 200, 0, 0, 100):
        with engine.store.read() as tx:
            bell.ring(alarms.read(tx, wall_clock=engine.now + clock_off, beat_expected=False))
    told = [(record.message, record.levelno) for record in caplog.records]
    raised, cleared = ("alarm_raised", logging.ERROR), ("alarm_cleared", logging.WARNING)
    assert told == [raised, cleared, raised]


def test_an_alarm_that_rings_does_not_hide_the_same_about_something_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    creates, hand_offs = (Alarm(AlarmName.BEHIND, "late", work) for work in ("create", "hand_off"))
    bell = Bell()
    for wrong in ([creates], [creates, hand_offs], [hand_offs], []):
        bell.ring(wrong)
    told = [(record.message, record.facts["about"]) for record in caplog.records]  # type: ignore[attr-defined]
    assert told == [
        ("alarm_raised", "create"),
        ("alarm_raised", "hand_off"),
        ("alarm_cleared", "create"),
        ("alarm_cleared", "hand_off"),
    ]
