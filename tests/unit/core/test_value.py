"""Which look is worth most: what has most likely ended unheard and waited longest; nobody waits for ever."""

from itertools import pairwise
from math import inf

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.core.learned.grid import BINS, bin_of
from orchestrator.core.learned.induction import NOTHING_HEARD, Hearing, hearing, plan
from orchestrator.core.learned.plan import Plan
from orchestrator.core.learned.value import ended_unheard, value_of

FLOOR = 20.0


def spread(low: float, high: float) -> NDArray[np.float64]:
    """Ages alike between two."""
    density = np.zeros(BINS + 1)
    density[bin_of(low) : bin_of(high) + 1] = 1.0
    return np.asarray(density / density.sum())


def a_plan(low: float, high: float, heard: Hearing = NOTHING_HEARD) -> Plan:
    return plan(spread(low, high), heard, floor=FLOOR, request_seconds=20.0, longest=900.0)


NARROW = a_plan(80.0, 100.0)
HEALTHY = a_plan(80.0, 100.0, hearing(0.01, spread(0.1, 2.0)))
LATE = a_plan(80.0, 100.0, hearing(0.05, spread(1.0, 300.0)))
WIDE = a_plan(10.0, 3_000.0)


def value(age: float, seen: float, made: Plan | None = None, last_chance: bool = False) -> float:
    return value_of(age=age, seen_running_at=seen, floor=FLOOR, plan=made, last_chance=last_chance)


def test_a_job_that_cannot_have_ended_is_worth_next_to_nothing() -> None:
    assert value(60, 0, NARROW) < 0.1
    assert value(110, 60, NARROW) == pytest.approx(50)


def test_where_webhooks_come_a_look_is_worth_less_than_where_none_does() -> None:
    assert value(95, 60, HEALTHY) < value(95, 60, LATE) < value(95, 60, NARROW)


def test_silence_after_the_last_age_at_which_jobs_end_means_a_lost_webhook() -> None:
    assert value(120, 60, HEALTHY) == pytest.approx(60, rel=0.01)


def test_without_a_plan_waiting_counts_against_the_floor() -> None:
    assert value(20, 0) == pytest.approx(4)
    assert value(100, 20) == pytest.approx(40)
    assert value(1_020, 1_000) == value(20, 0)


def test_a_job_at_its_deadline_comes_before_all_others() -> None:
    assert value(100, 90, NARROW, last_chance=True) == inf


def test_a_job_older_than_all_that_is_known_is_judged_as_by_guidance() -> None:
    old = 400_000.0
    assert value(old + 80, old, NARROW) == pytest.approx(40)


@pytest.mark.parametrize("made", [NARROW, HEALTHY, LATE, WIDE, None])
def test_the_value_grows_while_a_job_waits(made: Plan | None) -> None:
    for seen in (0.0, 30.0, 85.0, 500.0):
        values = [value(seen + waited, seen, made) for waited in np.linspace(0.0, 4_000.0, 200)]
        if made is LATE:  # what was late may be heard meanwhile
            assert all(later > 0.5 * before for before, later in pairwise(values))
        else:
            assert all(later >= before - 1e-9 for before, later in pairwise(values))
        assert values[-1] > values[1]


@pytest.mark.parametrize("made", [NARROW, HEALTHY, LATE, WIDE])
def test_the_chance_is_one_and_at_least_that_of_a_lost_webhook(made: Plan) -> None:
    for seen in np.linspace(0.0, 400.0, 41):
        for age in seen + np.linspace(0.0, 400.0, 41):
            chance = ended_unheard(made, float(seen), float(age), 0.5)
            assert 0.0 <= chance <= 1.0


def test_nobody_waits_for_ever_among_jobs_that_are_always_worth_more() -> None:
    """One look in ten seconds for what wants three: forty jobs that end unheard, a few that hardly do."""
    kinds = [NARROW] * 40 + [HEALTHY] * 3 + [None] * 3
    began = [-3.0 * number for number in range(len(kinds))]
    seen, looked = list(began), [0] * len(kinds)
    for now in range(0, 20_000, 10):
        values = [value(now - began[n], seen[n] - began[n], kinds[n]) for n in range(len(kinds))]
        best = int(np.argmax(values))
        looked[best] += 1
        seen[best] = float(now)
        if kinds[best] is NARROW and now - began[best] > 100:
            began[best] = seen[best] = float(now)  # it had ended, and another one began
    assert min(looked) >= 10
