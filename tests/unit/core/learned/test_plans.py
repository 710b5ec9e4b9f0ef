"""The moments to look: the induction, and what is chosen of it for one job."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.cadence import PLANNED_JITTER, Guidance, next_look
from orchestrator.core.learned import induction
from orchestrator.core.learned.density import density
from orchestrator.core.learned.endings import Endings
from orchestrator.core.learned.estimate import ENOUGH_JOBS, SILENT_FOR, schedule_of
from orchestrator.core.learned.grid import BINS, EDGES
from orchestrator.core.learned.hooks import Health, Hooks
from orchestrator.core.learned.induction import NOTHING_HEARD, Hearing, hearing, plan
from orchestrator.core.learned.paces import MOST_WANTED, Pace, Paces, Schedule, Why
from orchestrator.core.learned.plan import Plan
from orchestrator.core.learned.spans import Spans

FAR = 1e9
INSTANT = np.append(np.diff([min(edge, 1.0) for edge in EDGES]), 0.0)


def ends(*ages: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    spans = Spans()
    for age in ages:
        spans.add(age, age)
    return density(spans, prior_jobs=0.01)


def normal(middle: float, spread: float, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    random = Random(seed)
    return ends(*(random.gauss(middle, spread) for _ in range(3_000)))


def planned(endings: object, heard: Hearing = NOTHING_HEARD, **more: float) -> Plan:
    given = {"floor": 20.0, "request_seconds": 20.0, "longest": 900.0} | more
    return plan(endings, heard, **given)  # type: ignore[arg-type]


def test_one_look_when_nearly_all_have_ended_where_the_guidance_takes_five() -> None:
    made = planned(normal(90.0, 8.0))
    assert 93.0 < made.next_age(0.0) < 107.0
    assert made.requests < 1.3
    assert made.lag < 14.0


def test_webhooks_that_come_make_looks_rare_and_late() -> None:
    made = planned(normal(90.0, 8.0), hearing(0.02, INSTANT))
    assert made.next_age(0.0) > 105.0
    assert made.requests < 0.04


def test_late_webhooks_do_not_make_looks_rare() -> None:
    late = np.append(np.diff([min(edge / 300.0, 1.0) for edge in EDGES]), 0.0)
    assert planned(normal(90.0, 8.0), hearing(0.0, late)).requests > 0.9


def test_of_jobs_whose_ages_hardly_grew_hardly_any_more_have_ended() -> None:
    """A bin at 90 s is four seconds wide: counted as a whole, hundreds would end in the moment it begins."""
    made = planned(normal(90.0, 8.0))
    shares = [made.ended_by(80.0 + step * 0.05) for step in range(400)]
    assert all(0.0 <= later - earlier < 0.004 for earlier, later in pairwise(shares))
    assert (made.ended_by(0.0), made.ended_by(FAR)) == (made.ended[0], made.ended[-1])


def test_two_humps_are_looked_at_after_each() -> None:
    random = Random(1)
    ages = [random.gauss(*((40.0, 4.0) if random.random() < 0.5 else (240.0, 24.0))) for _ in range(3_000)]
    made = planned(ends(*ages))
    first, second = made.next_age(0.0), made.next_age(made.next_age(0.0))
    assert 44.0 < first < 60.0
    assert 225.0 < second < 290.0


@pytest.mark.parametrize("worth", [1.0, 5.0, 20.0, 80.0])
def test_the_dearer_a_request_the_fewer_are_made(worth: float) -> None:
    endings = normal(90.0, 25.0)
    cheap, dear = planned(endings, request_seconds=worth), planned(endings, request_seconds=4 * worth)
    assert dear.requests <= cheap.requests + 1e-9
    assert dear.lag >= cheap.lag - 1e-9


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(1.0, 5_000.0), min_size=1, max_size=30),
    st.floats(0.0, 1.0),
    st.floats(1.0, 120.0),
    st.floats(130.0, 2_000.0),
)
def test_no_plan_looks_below_the_floor_or_further_apart_than_it_may(
    ages: list[float], lost: float, floor: float, longest: float
) -> None:
    made = plan(ends(*ages), hearing(lost, INSTANT), floor=floor, request_seconds=20.0, longest=longest)
    widest = max(later - earlier for earlier, later in pairwise(EDGES[: BINS // 2]))
    for age, after in zip(made.ages[:-40], made.after[:-40], strict=True):
        assert after >= age + floor - 1e-6
        assert after <= max(age + longest, (age + floor) * 1.06) + widest


def test_the_cost_that_a_plan_tells_is_that_of_following_it() -> None:
    random, endings = Random(7), normal(90.0, 25.0)
    made = planned(endings, hearing(0.2, INSTANT))
    requests = lag = 0.0
    for _ in range(20_000):
        end = float(random.choices(EDGES[:-1], endings[:BINS].tolist())[0]) * 1.025
        hook = None if random.random() < 0.2 else end + random.random()
        age = 0.0
        while True:
            age = made.next_age(age)
            if hook is not None and hook <= age:
                lag += hook - end
                break
            requests += 1
            if age >= end:
                lag += age - end
                break
    assert requests / 20_000 == pytest.approx(made.requests, rel=0.05)
    assert lag / 20_000 == pytest.approx(made.lag, rel=0.08)


PLAN = planned(normal(90.0, 8.0))
LEARNED = Pace(Why.LEARNED, PLAN)
ALONE = Pace(Why.LEFT_ALONE, PLAN, left_alone_until=7_200.0)


def look(
    pace: Pace, age: float, *, jitter: float = 0.5, hint: float = 20.0, errors: int = 0
) -> tuple[float, Why]:
    found = next_look(
        now=age, guidance=Guidance(hint), deadline=FAR, jitter=jitter, errors=errors, age=age, pace=pace
    )
    return found.at, found.why


def test_the_first_look_is_placed_by_the_plan() -> None:
    at, why = look(LEARNED, 0.0)
    assert why is Why.LEARNED
    assert at == pytest.approx(PLAN.next_age(0.0))


@given(
    st.sampled_from([LEARNED, ALONE]),
    st.floats(0.0, 20_000.0),
    st.floats(0.0, 1.0, exclude_max=True),
    st.floats(0.1, 3_600.0),
)
def test_whatever_was_learned_no_look_is_below_the_hint_or_further_off_than_it_may_be(
    pace: Pace, age: float, jitter: float, hint: float
) -> None:
    at, _ = look(pace, age, jitter=jitter, hint=hint)
    assert at - age >= hint - 1e-6
    assert at - age <= max(900.0, hint * 1.1) + 1e-6


def test_a_plan_that_wants_it_sooner_waits_for_the_hint() -> None:
    at, why = look(LEARNED, 85.0, jitter=0.0, hint=60.0)
    assert (at, why) == (145.0, Why.FLOOR)


def test_errors_back_off_as_ever() -> None:
    assert look(LEARNED, 0.0, jitter=0.0, errors=2) == (80.0, Why.ERRORS)


@pytest.mark.parametrize("hint", [0.0, 1e-10, -5.0])
def test_each_look_is_later_than_the_one_before_whatever_the_gateway_hints(
    hint: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Following a table that stays where it is takes for ever, and no worker started any more."""
    monkeypatch.setattr(induction, "_followed", lambda *_: (0.0, 0.0, 0.0))
    made = planned(normal(90.0, 8.0), floor=hint, request_seconds=1e-9)
    assert all(after > age for age, after in zip(made.ages[:-1], made.after, strict=False))


def test_planned_looks_are_spread_a_little_to_both_sides() -> None:
    soon, late = look(LEARNED, 0.0, jitter=0.0)[0], look(LEARNED, 0.0, jitter=0.999999)[0]
    assert late / soon == pytest.approx((1 + PLANNED_JITTER) / (1 - PLANNED_JITTER), rel=1e-4)


def known(jobs: int, age: float = 90.0) -> Endings:
    endings, random = Endings(), Random(1)
    for number in range(jobs):
        taken = random.gauss(age, 5.0)
        endings.learn(began_at=float(number), low=taken, high=taken, narrow=True)
    return endings


def channel(outcomes: str) -> Hooks:
    hooks = Hooks()
    for at, one in enumerate(outcomes):
        hooks.learn_came(float(at)) if one == "1" else hooks.learn_missed()
        spans = Spans()
        spans.add(0.3, 0.3)
        hooks.learn_delay(spans)
    hooks.judge(len(outcomes))
    return hooks


def scheduled(endings: Endings, hooks: Hooks | None, now: float = 1_000.0) -> Schedule:
    return schedule_of(endings, hooks, now=now, floor=20.0, request_seconds=20.0, longest=900.0)


def test_before_enough_jobs_have_ended_the_guidance_is_followed() -> None:
    assert scheduled(known(ENOUGH_JOBS - 1), None).pace.why is Why.NO_DATA
    assert scheduled(known(ENOUGH_JOBS), None).pace.why is Why.LEARNED


def test_before_enough_webhooks_were_judged_looks_are_placed_as_if_none_came() -> None:
    made = scheduled(known(100), channel("1" * 10)).pace.plan
    assert made is not None
    assert made.lost is None
    assert made.requests > 0.9


def test_webhooks_that_stopped_bring_the_guidance_back_for_half_an_hour_and_then_looks_as_if_none_came() -> (
    None
):
    hooks = channel("1" * 100 + "0" * 6)
    assert hooks.health is Health.SILENT
    assert hooks.health_since is not None
    assert scheduled(known(100), hooks, now=hooks.health_since + 60.0).pace.why is Why.SILENT
    later = scheduled(known(100), hooks, now=hooks.health_since + SILENT_FOR + 1.0).pace
    assert later.why is Why.LEARNED


def test_a_stated_share_of_jobs_is_left_alone_where_looks_cut_delays_short() -> None:
    hooks = channel("1" * 100)
    for _ in range(200):
        cut = Spans()
        cut.add(5.0, None)
        hooks.learn_delay(cut)
    paces = Paces({("c", "h"): scheduled(known(100), hooks)}, explored=0.01)
    chosen = [paces.of(f"job{number}", "c", "h") for number in range(20_000)]
    alone = [one for one in chosen if one.why is Why.LEFT_ALONE]
    assert len(alone) / 20_000 == pytest.approx(0.01, abs=0.003)
    at, why = look(alone[0], 0.0)
    assert why is Why.LEFT_ALONE
    assert at > 200.0


def test_where_delays_are_known_nobody_is_left_alone() -> None:
    paces = Paces({("c", "h"): scheduled(known(100), channel("1" * 100))}, explored=0.2)
    assert {paces.of(f"job{number}", "c", "h").why for number in range(500)} == {Why.LEARNED}


def test_what_is_not_known_is_asked_for_and_looked_at_by_the_guidance() -> None:
    paces = Paces()
    assert paces.of("job", "c", None).why is Why.NO_DATA
    assert paces.wanted == {("c", None)}


def test_what_is_asked_for_is_remembered_within_bounds_where_nobody_makes_it() -> None:
    paces = Paces()
    for number in range(MOST_WANTED + 10):
        paces.of("job", f"c{number}", None)
    assert len(paces.wanted) == MOST_WANTED
