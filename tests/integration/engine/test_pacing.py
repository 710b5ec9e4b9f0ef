"""Schedules follow what is known, in the process that looks, and are made anew only when it has moved."""

import time
from random import Random
from statistics import median

import pytest

from orchestrator.core.learned.classes import wider
from orchestrator.core.learned.endings import Endings
from orchestrator.core.learned.estimate import SILENT_FOR
from orchestrator.core.learned.hooks import Health, Hooks
from orchestrator.core.learned.paces import Pace, Why
from orchestrator.core.learned.spans import Spans
from orchestrator.engine import pacing
from orchestrator.engine.pacing import Pacer
from orchestrator.store import estimates
from orchestrator.store.estimates import EstimateKind
from tests.integration.engine.harness import Engine, NewEngine

CLASS, CHANNEL = "google|veo|8s", "default|google"


def ended(count: int, *, around: float = 90.0, since: float = 0.0) -> Endings:
    """Jobs of which each one is known to have ended at about that age."""
    random, known = Random(1), Endings()
    for number in range(count):
        age = random.gauss(around, around / 12)
        known.learn(began_at=since + number, low=age - 0.5, high=age, narrow=True)
    return known


def came(count: int, missed: int = 0) -> Hooks:
    known = Hooks()
    for number in range(count):
        known.learn_came(float(number))
        delay = Spans()
        delay.add(0.0, 0.3)
        known.learn_delay(delay)
    for _ in range(missed):
        known.learn_missed()
    known.judge(0.0)
    return known


def know(engine: Engine, kind: EstimateKind, name: str, what: Endings | Hooks) -> None:
    engine.now += 1
    with engine.store.write() as tx:
        estimates.lock(tx, kind, name)
        estimates.write(tx, kind, name, what.as_json())


def pace(engine: Engine, channel: str | None = None, name: str = CLASS) -> Pace:
    return engine.context.paces.of("job_1", name, channel)


def test_what_is_known_counts_from_the_first_look_on(engine: Engine) -> None:
    know(engine, EstimateKind.ENDINGS, CLASS, ended(200))
    know(engine, EstimateKind.HOOKS, CHANNEL, came(60))
    assert Pacer(engine.context).refresh() == 2
    by_looks, by_hooks = pace(engine), pace(engine, CHANNEL)
    assert by_looks.plan is not None
    assert by_hooks.plan is not None
    assert 75 < by_looks.plan.next_age(0.0) < 115
    assert by_looks.plan.requests > 1.0 > by_hooks.plan.requests


def test_what_is_asked_for_is_made_by_the_next_refresh(engine: Engine) -> None:
    pacer = Pacer(engine.context)
    assert pacer.refresh() == 0
    assert pace(engine).why is Why.NO_DATA
    assert pacer.refresh() == 1, "also where nothing is known: it need not be asked for again"
    assert not engine.context.paces.wanted
    know(engine, EstimateKind.ENDINGS, CLASS, ended(19))
    pacer.refresh()
    assert pace(engine).why is Why.NO_DATA
    know(engine, EstimateKind.ENDINGS, CLASS, ended(20))
    assert pacer.refresh() == 1
    assert pace(engine).why is Why.LEARNED


def test_a_schedule_is_made_anew_when_what_it_rests_on_has_moved(engine: Engine) -> None:
    pacer = Pacer(engine.context)
    know(engine, EstimateKind.ENDINGS, CLASS, ended(200))
    know(engine, EstimateKind.HOOKS, CHANNEL, came(60))
    pacer.refresh()
    know(engine, EstimateKind.ENDINGS, CLASS, ended(205))
    assert pacer.refresh() == 0
    know(engine, EstimateKind.ENDINGS, CLASS, ended(215))
    assert pacer.refresh() == 2
    know(engine, EstimateKind.HOOKS, CHANNEL, came(60, missed=3))
    assert pacer.refresh() == 1, "of the jobs that are told of over that channel"
    assert pacer.refresh() == 0


def test_a_size_of_which_little_is_known_goes_by_all_sizes(engine: Engine) -> None:
    know(engine, EstimateKind.ENDINGS, wider(CLASS), ended(200))
    know(engine, EstimateKind.ENDINGS, CLASS, ended(8))
    pacer = Pacer(engine.context)
    pace(engine)
    pacer.refresh()
    assert pace(engine).why is Why.LEARNED


def test_but_not_where_its_first_jobs_ended_at_other_ages(engine: Engine) -> None:
    know(engine, EstimateKind.ENDINGS, wider(CLASS), ended(200))
    know(engine, EstimateKind.ENDINGS, CLASS, ended(8, around=600.0))
    pacer = Pacer(engine.context)
    pace(engine)
    pacer.refresh()
    assert pace(engine).why is Why.NO_DATA


def test_an_endpoint_that_is_silent_is_so_for_each_provider_and_for_a_while(engine: Engine) -> None:
    know(engine, EstimateKind.ENDINGS, CLASS, ended(200))
    know(engine, EstimateKind.HOOKS, CHANNEL, came(60))
    pacer = Pacer(engine.context)
    pacer.refresh()
    assert pace(engine, CHANNEL).why is Why.LEARNED
    silent = came(60, missed=8)
    silent.health_since = engine.now
    assert silent.health is Health.SILENT
    know(engine, EstimateKind.HOOKS, "default|*", silent)
    pacer.refresh()
    assert pace(engine, CHANNEL).why is Why.SILENT
    assert pace(engine).why is Why.LEARNED, "of those no webhook was to tell"
    engine.now += SILENT_FOR
    assert pacer.refresh() == 1
    plan = pace(engine, CHANNEL).plan
    assert plan is not None
    assert plan.lost is None or plan.lost > 0.5, "webhooks are not counted on"


def test_the_settings_can_have_it_all_by_the_guidance(new_engine: NewEngine) -> None:
    engine = new_engine(cadence="guidance")
    know(engine, EstimateKind.ENDINGS, CLASS, ended(200))
    assert Pacer(engine.context).refresh() == 0
    assert pace(engine).why is Why.OFF


def test_the_settings_bound_what_is_learned(new_engine: NewEngine) -> None:
    engine = new_engine(request_worth_seconds=0.5, longest_spacing_seconds=60, explored_share=0.2)
    know(engine, EstimateKind.ENDINGS, CLASS, ended(200))
    Pacer(engine.context).refresh()
    hasty = pace(engine)
    assert hasty.plan is not None
    assert hasty.longest == 60
    assert hasty.plan.next_age(0.0) <= 60
    assert engine.context.paces.explored == 0.2


def test_many_schedules_are_made_a_few_at_a_time(engine: Engine) -> None:
    pacer = Pacer(engine.context)
    pacer.refresh()
    with engine.store.write() as tx:
        for number in range(20):
            estimates.lock(tx, EstimateKind.ENDINGS, f"google|veo{number}|8s")
            estimates.write(tx, EstimateKind.ENDINGS, f"google|veo{number}|8s", ended(30).as_json())
    for number in range(20):
        pace(engine, name=f"google|veo{number}|8s")
    assert pacer.refresh() == pacing.MADE_AT_ONCE
    assert pacer.refresh() == pacing.MADE_AT_ONCE
    assert pacer.refresh() == 20 - 2 * pacing.MADE_AT_ONCE


def test_names_that_nobody_uses_twice_drive_no_schedule_away(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "KEPT", 10)
    know(engine, EstimateKind.ENDINGS, CLASS, ended(200))
    pacer = Pacer(engine.context)
    pacer.refresh()
    for number in range(30):
        pace(engine, name=f"google|veo{number}|8s")
    assert pacer.refresh() == 30, "without a plan they take no time"
    assert len(engine.context.paces.schedules) == len(pacer.made_of) == 10
    assert pace(engine).why is Why.LEARNED


def test_a_schedule_takes_less_than_twenty_milliseconds(engine: Engine) -> None:
    known = ended(1_000)
    for number in range(300):
        known.learn(began_at=1_000.0 + number, low=0.0, high=60.0 + number, narrow=False)
    facts = pacing.Evidence(CLASS, known, came(500, missed=2))
    took = []
    for _ in range(15):
        began = time.thread_time()
        made = pacing.schedule(engine.settings, facts, engine.now)
        took.append(time.thread_time() - began)
    assert made.pace.plan is not None
    assert median(took) < 0.020
