"""What is known of when jobs end: spans, cohorts, and what is made of them."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.learned.change import forget_what_changed
from orchestrator.core.learned.density import density
from orchestrator.core.learned.endings import COHORTS, REMEMBERED, Endings, read_endings
from orchestrator.core.learned.folding import Known
from orchestrator.core.learned.grid import BEYOND, BINS, EDGES, bin_of, bins_between
from orchestrator.core.learned.spans import Spans, read_spans, together
from orchestrator.core.learned.ticks import on_tick

AGES = st.floats(0, 200_000, allow_nan=False)


@given(AGES)
def test_a_moment_lies_in_its_bin(age: float) -> None:
    found = bin_of(age)
    assert EDGES[found] <= max(age, 0.0)
    assert found == BEYOND or age < EDGES[found + 1]


@given(AGES, AGES)
def test_bins_between_two_moments_are_in_order_and_within(one: float, other: float) -> None:
    low, high = sorted((one, other))
    first, last = bins_between(low, high)
    assert bin_of(low) <= first <= last <= bin_of(high) or first == last


def test_what_is_stored_comes_back() -> None:
    known = Endings()
    for number in range(100):
        known.learn(began_at=float(number), low=30.0, high=30.0 + number, narrow=number % 2 == 0)
    known.count_open({50.0: 12.0})
    assert read_endings(known.as_json()).as_json() == known.as_json()
    assert read_spans(together(one.evidence for one in known.cohorts).as_json()).total == pytest.approx(101)


@given(st.lists(st.tuples(AGES, AGES), min_size=1, max_size=40))
def test_any_evidence_makes_a_distribution(spans: list[tuple[float, float]]) -> None:
    known = Spans()
    for one, other in spans:
        known.add(min(one, other), None if one == other else max(one, other))
    made = density(known)
    assert made.sum() == pytest.approx(1.0)
    assert (made >= 0).all()
    assert len(made) == BINS + 1


def test_nothing_known_is_a_distribution_too() -> None:
    assert density(Spans()).sum() == pytest.approx(1.0)


def test_the_distribution_of_exact_ends_is_theirs() -> None:
    random, known = Random(1), Spans()
    for _ in range(2_000):
        age = random.lognormvariate(np.log(60.0), 0.5)
        known.add(age, age)
    below = np.cumsum(density(known))
    for age, share in ((31.6, 0.1), (60.0, 0.5), (113.9, 0.9)):
        assert below[bin_of(age) - 1] == pytest.approx(share, abs=0.05)


def test_spans_of_looks_tell_where_ends_lie_as_well() -> None:
    """Each end is only known to lie between two looks, at moments that differ from job to job."""
    random, known = Random(2), Spans()
    for _ in range(1_000):
        age, look = random.gauss(90.0, 8.0), 20.0 + 20.0 * random.random()
        while look < age:
            look += 20.0
        known.add(look - 20.0, look)
    below = np.cumsum(density(known))
    assert below[bin_of(80.0) - 1] == pytest.approx(0.11, abs=0.06)
    assert below[bin_of(100.0) - 1] == pytest.approx(0.89, abs=0.06)


def test_jobs_still_open_make_jobs_longer() -> None:
    quick = Spans()
    for _ in range(50):
        quick.add(30.0, 30.0)
    with_open = together([quick])
    for _ in range(50):
        with_open.add(100.0, None)
    assert np.cumsum(density(quick))[bin_of(60.0)] > 0.9
    assert np.cumsum(density(with_open))[bin_of(60.0)] == pytest.approx(0.5, abs=0.05)


def test_of_jobs_submitted_together_those_that_end_last_are_no_newer_truth() -> None:
    random, known = Random(3), Endings()
    jobs = sorted((random.lognormvariate(np.log(60.0), 0.5), random.random()) for _ in range(1_000))
    for number, (age, began_at) in enumerate(jobs):
        known.learn(began_at=began_at, low=age, high=age, narrow=True)
        if number % 50 == 0:
            known.count_open({began: age for _, began in jobs[number + 1 :]})
            assert not forget_what_changed(known), number
    known.count_open({})
    below = np.cumsum(density(together(one.evidence for one in known.cohorts)))
    assert below[bin_of(60.0)] == pytest.approx(0.5, abs=0.06)


def steady(known: Endings, since: float, jobs: int, age: float, random: Random) -> None:
    for number in range(jobs):
        taken = random.gauss(age, age / 12)
        known.learn(began_at=since + number, low=taken, high=taken, narrow=True)


def test_a_change_is_noticed_by_the_first_that_outlast_the_others_and_what_was_is_forgotten() -> None:
    random, known = Random(4), Endings()
    steady(known, 0.0, 600, 90.0, random)
    assert not forget_what_changed(known)
    known.count_open({600.0 + number: 120.0 for number in range(40)})
    assert forget_what_changed(known)
    assert known.ended < 40


def test_jobs_that_become_quicker_are_noticed_too() -> None:
    random, known = Random(5), Endings()
    steady(known, 0.0, 600, 90.0, random)
    steady(known, 600.0, 60, 45.0, random)
    assert forget_what_changed(known)


@pytest.mark.parametrize("seed", range(5))
def test_what_stays_as_it_is_is_not_forgotten(seed: int) -> None:
    random, known = Random(seed), Endings()
    for round_ in range(60):
        steady(known, 32.0 * round_, 32, 90.0, random)
        assert not forget_what_changed(known)
    assert known.ended == pytest.approx(REMEMBERED, rel=0.1)
    assert len(known.cohorts) <= COHORTS


def test_thousands_that_are_open_at_once_are_no_reason_to_forget_those_that_ended() -> None:
    random, known, a_second = Random(7), Endings(), 40
    jobs = [(number / a_second, random.lognormvariate(np.log(60.0), 0.5)) for number in range(8_000)]
    ends = sorted((began + age, began, age) for began, age in jobs)
    for now in range(10, 200, 10):
        for _, began, age in (one for one in ends if now - 10 <= one[0] < now):
            known.learn(began_at=began, low=age, high=age, narrow=True)
        known.count_open({began: now - began for began, age in jobs if began < now < began + age})
    assert known.ended == pytest.approx(REMEMBERED, rel=0.1)
    below = np.cumsum(density(together(one.evidence for one in known.cohorts)))
    assert below[bin_of(60.0)] == pytest.approx(0.5, abs=0.05)
    assert below[bin_of(114.0)] == pytest.approx(0.9, abs=0.05)


def test_old_evidence_fades() -> None:
    random, known = Random(6), Endings()
    known.age(0.0)
    steady(known, 0.0, 100, 90.0, random)
    known.age(14 * 86_400.0)
    assert known.ended == pytest.approx(50.0, rel=0.01)


@pytest.mark.parametrize(("every", "told"), [(7.3, True), (300.0, False)])
def test_the_gateways_time_of_an_end_is_believed_unless_it_notices_such_ends_on_its_ticks(
    every: float, told: bool
) -> None:
    known = Known()
    for number in range(60):
        end = every * (number + 10)
        data = {"class": "p|m|8s", "channel": None, "began_at": end - 100.0, "told": 100.0}
        known.learn_end(data | {"low": 20.0 if on_tick(end) else 100.0, "high": 100.0})
    exact = sum(weight for (first, last), weight in weights(known).items() if first == last)
    assert (exact == 60) is told


def weights(known: Known) -> dict[tuple[int, int], float]:
    return together(one.evidence for one in known.endings["p|m|8s"].cohorts).weights
