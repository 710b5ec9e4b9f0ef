"""After an outage of ours, jobs are left to the gateway where that costs less than a request."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from orchestrator.core.job import HookTold, Job, Updates
from orchestrator.core.learned.density import density
from orchestrator.core.learned.grid import BINS
from orchestrator.core.learned.induction import hearing, plan
from orchestrator.core.learned.outage import AFTER_TICK, Outage, left_until, proves_wrong
from orchestrator.core.learned.plan import Plan
from orchestrator.core.learned.spans import Spans
from orchestrator.core.lifecycle import Seen, State
from tests.unit.core.jobs import a_job

TICK = 1_800_000_000.0  # a moment at which minute % 5 == 0
OUTAGE = Outage(TICK + 10.0, TICK + 100.0)  # what ended in it is told on the next tick


def learned(ages: Any, lost: float = 0.02) -> Plan:
    """The plan of a class whose jobs ended at these ages, with instant webhooks."""
    spans = Spans()
    for age in ages:
        spans.add(float(age), float(age))
    instant = np.zeros(BINS + 1)
    instant[0] = 1.0
    found = density(spans, prior_jobs=0.0)
    return plan(found, hearing(lost, instant), floor=20.0, request_seconds=20.0, longest=900.0)


NARROW = learned(np.random.default_rng(1).normal(90.0, 4.0, 1_000))
# A tenth ends within the outage if it began half a minute before it.
SPREAD = learned(np.linspace(100.0, 1_500.0, 1_000))


def waiting(**facts: Any) -> Job:
    standing = {"created_at": TICK - 60.0, "deadline_at": TICK + 3_600.0}
    return a_job(facts.pop("state", State.WAITING), **standing | facts)


def until(job: Job, plan: Plan = SPREAD, now: float = TICK + 120.0, worth: float = 40.0) -> float | None:
    return left_until(job, plan, OUTAGE, now=now, request_seconds=worth)


@pytest.mark.parametrize(
    ("ended_at", "outage_lasted", "tick"),
    [
        (0.0, 10.0, 300.0),  # not before 60 s: the next tick
        (239.0, 10.0, 300.0),
        (241.0, 10.0, 600.0),
        (0.0, 300.0, 600.0),  # the attempt on the first tick was in vain too: 5 minutes, and a tick
        (0.0, 700.0, 1_500.0),
        (0.0, 1_500.0, None),
        (100.0, 1_499.0, 1_500.0),
    ],
)
def test_when_an_end_is_told_at_last_follows_from_the_gateway_s_retries(
    ended_at: float, outage_lasted: float, tick: float | None
) -> None:
    told = Outage(TICK, TICK + max(outage_lasted, ended_at)).tried_again(TICK + ended_at)
    assert told == (None if tick is None else TICK + tick)


def test_a_job_that_may_have_ended_meanwhile_is_left_to_the_gateway_until_just_after_the_tick() -> None:
    assert until(waiting()) == TICK + 300.0 + AFTER_TICK


def test_one_that_surely_ended_is_looked_at_unless_the_tick_is_near_or_requests_are_dear() -> None:
    assert until(waiting(), NARROW) is None
    assert until(waiting(), NARROW, now=TICK + 280.0) is not None
    assert until(waiting(), NARROW, worth=300.0) is not None


def test_the_more_likely_it_ended_the_nearer_the_tick_must_be() -> None:
    chance = SPREAD.ended_by(160.0) - SPREAD.ended_by(70.0)
    assert 0.01 < chance < 0.2
    wait = 300.0 + AFTER_TICK - 120.0
    assert until(waiting(), worth=2.0 * chance * wait) is not None
    assert until(waiting(), worth=0.5 * chance * wait) is None


def test_one_that_the_outage_cannot_have_hidden_is_looked_at_as_ever() -> None:
    assert until(waiting(created_at=TICK + 100.0)) is None
    assert until(waiting(seen_running_at=TICK + 101.0)) is None
    assert until(waiting(created_at=TICK - 5_000.0)) is None, "it ended long before, and its webhook was lost"


def test_after_the_tick_it_is_looked_at() -> None:
    assert until(waiting(), now=TICK + 314.0) is not None
    assert until(waiting(), now=TICK + 315.0) is None
    assert until(waiting(), now=TICK + 4_000.0, worth=1e6) is None


def test_where_most_webhooks_are_lost_anyway_the_outage_explains_nothing() -> None:
    job = waiting(created_at=TICK - 700.0)
    assert until(job, worth=1e6) is not None
    assert until(job, learned(np.linspace(100.0, 1_500.0, 1_000), lost=0.5), worth=1e6) is None


@pytest.mark.parametrize(
    "facts",
    [
        {"updates": Updates.POLL},
        {"updates": Updates.SHADOW},
        {"hooked": False},
        {"without_webhook": True},
        {"suspicion": Seen.FAILED_LIVE},
        {"look_errors": 1},
        {"state": State.COMPLETED},
        {"deadline_at": TICK + 310.0},
    ],
)
def test_jobs_that_no_webhook_will_tell_in_time_are_looked_at(facts: dict[str, Any]) -> None:
    assert until(waiting(**facts)) is None


def test_after_a_long_outage_those_whose_attempts_are_spent_are_not_left() -> None:
    long = Outage(TICK, TICK + 7_200.0)
    job, now = waiting(created_at=TICK - 60.0), TICK + 7_210.0
    assert left_until(job, SPREAD, long, now=now, request_seconds=1e6) is None
    late = waiting(created_at=TICK + 6_600.0, deadline_at=TICK + 20_000.0)
    assert left_until(late, SPREAD, long, now=now, request_seconds=1e6) == TICK + 7_500.0 + AFTER_TICK


def test_a_try_that_is_not_planned_where_one_was_counted_on_proves_it_wrong() -> None:
    dead, now = HookTold(1, delivered=False, last_status=503), TICK + 120.0
    assert proves_wrong(OUTAGE, dead, TICK + 50.0, now=now)
    assert not proves_wrong(OUTAGE, replace(dead, next_try_at=TICK + 300.0), TICK + 50.0, now=now)
    assert not proves_wrong(OUTAGE, replace(dead, delivered=True), TICK + 50.0, now=now)
    assert not proves_wrong(OUTAGE, HookTold(0, delivered=False), TICK + 50.0, now=now)
    assert not proves_wrong(OUTAGE, dead, TICK - 50.0, now=now), "it ended before, and had its attempts"
    assert not proves_wrong(OUTAGE, dead, TICK + 50.0, now=TICK + 400.0), "its try is over"
