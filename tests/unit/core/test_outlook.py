"""What a way of looking costs, against drawn jobs and against the first experiment."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.core.learned.density import Floats
from orchestrator.core.learned.grid import BINS, EDGES
from orchestrator.core.learned.induction import NOTHING_HEARD, Hearing, hearing, plan
from orchestrator.core.learned.outlook import NextAge, by_guidance, by_net, by_plan, follow
from orchestrator.core.learned.shapes import shape_of

NARROW, LOG_NORMAL = "normal:90:8", "lognormal:60:0.5"
TWO_HUMPS, HEAVY = "mix:0.6*normal:40:4+0.4*normal:240:24", "lognormal:60:1.1"
TWO_EVEN_HUMPS = "mix:0.5*normal:40:4+0.5*normal:240:24"
JOBS = 20_000
INSTANT = hearing(0.02, shape_of("exactly:0"))
LATE = hearing(0.0, shape_of("uniform:0:300"))


def planned(endings: Floats, heard: Hearing, worth: float = 20.0) -> NextAge:
    made = plan(endings, heard, floor=20.0, request_seconds=worth, longest=900.0)
    return by_plan(made, 20.0, 900.0)


def drawn(ends: Floats, delays: Floats, next_age: NextAge) -> tuple[float, Floats, float]:
    """Requests a job, the lag of each and the share found by a look, of jobs followed one by one."""
    requests, found, lags = 0, 0, np.empty(len(ends))
    for number, (end, delay) in enumerate(zip(ends, delays, strict=True)):
        look = 0.0
        while True:
            look = next_age(look)
            if look >= end + delay:
                lags[number] = delay
                break
            requests += 1
            if look >= end:
                lags[number], found = look - end, found + 1
                break
    return requests / len(ends), lags, found / len(ends)


@pytest.mark.parametrize("way", ["guidance", "net", "plan"])
@pytest.mark.parametrize("lost", [1.0, 0.2])
def test_a_way_of_looking_costs_what_drawn_jobs_cost(way: str, lost: float) -> None:
    chance = np.random.default_rng(6)
    ends = chance.lognormal(np.log(60.0), 0.5, JOBS)
    delays = np.where(chance.random(JOBS) < lost, np.inf, chance.uniform(0.0, 300.0, JOBS))
    heard = NOTHING_HEARD if lost == 1.0 else hearing(lost, shape_of("uniform:0:300"))
    endings = shape_of(LOG_NORMAL)
    ways = {"guidance": by_guidance(20.0), "net": by_net(300.0), "plan": planned(endings, heard)}
    requests, lags, found = drawn(ends, delays, ways[way])
    told = follow(endings, heard, ways[way])
    assert told.requests == pytest.approx(requests, rel=0.015)
    assert told.rescues == pytest.approx(found, abs=0.01)
    assert told.lag_mean == pytest.approx(lags.mean(), rel=0.015)
    assert told.lag_p50 == pytest.approx(np.quantile(lags, 0.5), rel=0.03)
    assert told.lag_p95 == pytest.approx(np.quantile(lags, 0.95), rel=0.03)
    assert told.lag_p99 == pytest.approx(np.quantile(lags, 0.99), rel=0.03)


# shape, how webhooks come, requests, mean lag and p99 of: guidance every 20 s, a net of 300 s, the induction
EXPERIMENT = [
    (NARROW, NOTHING_HEARD, (5.00, 10.1, 20), (1.00, 210, 229), (1.10, 12.1, 29)),
    (LOG_NORMAL, NOTHING_HEARD, (3.90, 10.0, 20), (1.00, 232, 282), (1.74, 19.2, 47)),
    (HEAVY, NOTHING_HEARD, (6.02, 10.0, 20), (1.11, 222, 297), (2.36, 30.7, 79)),
    (NARROW, INSTANT, (4.02, 0.2, 11), (0.021, 4.3, 211), (0.026, 0.4, 21)),
    (LOG_NORMAL, INSTANT, (2.92, 0.2, 10), (0.021, 4.8, 243), (0.052, 1.9, 100)),
    (NARROW, LATE, (4.98, 10.0, 20), (0.30, 137, 225), (1.07, 11.9, 29)),
    (LOG_NORMAL, LATE, (3.90, 10.0, 20), (0.23, 140, 269), (1.53, 21.2, 51)),
]


def cost(told: tuple[float, float, float]) -> float:
    return told[0] * 20.0 + told[1]


@pytest.mark.parametrize(("shape", "heard", "guidance", "net", "best"), EXPERIMENT)
def test_it_agrees_with_the_first_experiment_within_its_grid(
    shape: str,
    heard: Hearing,
    guidance: tuple[float, float, float],
    net: tuple[float, float, float],
    best: tuple[float, float, float],
) -> None:
    endings = shape_of(shape)
    every_20, every_300 = follow(endings, heard, by_net(20.0)), follow(endings, heard, by_net(300.0))
    for told, known in ((every_20, guidance), (every_300, net)):
        assert told.requests == pytest.approx(known[0], rel=0.03, abs=0.01)
        assert told.lag_mean == pytest.approx(known[1], rel=0.03, abs=0.3)
        assert told.lag_p99 == pytest.approx(known[2], rel=0.05, abs=2.0)
    induced = follow(endings, heard, planned(endings, heard))
    assert induced.cost(20.0) == pytest.approx(cost(best), rel=0.06, abs=0.3)


def square_root_rule(endings: Floats) -> NextAge:
    """Looks where the integral of the square root of (rate / 2c) grows by one, never below the floor."""
    running = 1.0 - np.concatenate(([0.0], np.cumsum(endings[:BINS])))
    rate = endings[:BINS] / np.diff(EDGES) / np.maximum(running[:-1], 1e-9)
    looks = np.concatenate(([0.0], np.cumsum(np.sqrt(rate / (2 * 20.0)) * np.diff(EDGES))))

    def next_age(age: float) -> float:
        wanted = np.interp(np.interp(age, EDGES, looks) + 1.0, looks, EDGES)
        return age + min(max(float(wanted) - age, 21.0), 900.0)

    return next_age


def test_the_square_root_rule_is_good_for_one_hump_and_far_off_for_two() -> None:
    for shape, worst in ((NARROW, 1.02), (LOG_NORMAL, 1.02), (HEAVY, 1.02), (TWO_EVEN_HUMPS, np.inf)):
        endings = shape_of(shape)
        by_root = follow(endings, NOTHING_HEARD, square_root_rule(endings)).cost(20.0)
        times = by_root / follow(endings, NOTHING_HEARD, planned(endings, NOTHING_HEARD)).cost(20.0)
        assert 1.0 <= times <= worst
    assert times > 2.4


def test_what_the_table_says_of_itself_is_what_following_it_costs() -> None:
    endings = shape_of(TWO_HUMPS)
    made = plan(endings, INSTANT, floor=20.0, request_seconds=20.0, longest=900.0)
    told = follow(endings, INSTANT, by_plan(made, 20.0, 900.0))
    assert told.requests == pytest.approx(made.requests, rel=0.05)
    assert told.lag_mean == pytest.approx(made.lag, rel=0.05)
    assert told.rescues == pytest.approx(made.rescues, rel=0.05)


def test_an_end_that_no_look_is_needed_for_costs_nothing() -> None:
    told = follow(shape_of("exactly:90"), hearing(0.0, shape_of("exactly:0")), by_net(300.0))
    assert told.requests == told.rescues == 0.0
    assert told.lag_mean <= told.lag_p99 <= 0.1


def test_jobs_that_outlast_the_grid_cost_every_look_along_it() -> None:
    endings = shape_of("exactly:90") * 0.5
    endings[-1] = 0.5
    told = follow(endings, NOTHING_HEARD, by_net(3600.0))
    assert told.requests == pytest.approx(0.5 + 0.5 * 48, rel=0.05)
    assert told.rescues == pytest.approx(0.5)


def test_a_way_that_does_not_go_on_is_refused() -> None:
    with pytest.raises(ValueError, match="no later"):
        follow(shape_of(NARROW), NOTHING_HEARD, lambda age: max(age, 5.0))
