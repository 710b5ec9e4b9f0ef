"""What a way of looking would cost: requests and lag of jobs whose ends are known as a distribution.

Nothing is drawn: a job that ends at an age is found by the first look after it, unless it is heard of sooner.
Any way of looking can be judged, also one whose looks lie between the edges of the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from orchestrator.core.cadence import JITTER_SHARE
from orchestrator.core.learned.density import Floats
from orchestrator.core.learned.grid import BEYOND, BINS, EDGES
from orchestrator.core.learned.induction import Hearing
from orchestrator.core.learned.plan import Plan

NextAge: TypeAlias = Callable[[float], float]

# Each bin is cut into so many ages: late ones are wider than the spacing of the gateway's guidance.
PARTS = 16
HALVINGS = 50  # of two days, until a quantile is known
MOST_LOOKS = 200_000

_CUTS = np.concatenate([np.linspace(low, high, PARTS, endpoint=False) for low, high in pairwise(EDGES)])
_AGES = _CUTS + np.repeat(np.diff(np.array(EDGES)), PARTS) / (2 * PARTS)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a job costs. Lag is over all jobs, those that a webhook tells included, in seconds.

    `requests` is the mean, `rescues` the share of jobs whose end a look finds.
    """

    requests: float
    lag_mean: float
    lag_p50: float
    lag_p95: float
    lag_p99: float
    rescues: float

    def cost(self, request_seconds: float) -> float:
        """Lag and requests in one number, in seconds of lag."""
        return self.requests * request_seconds + self.lag_mean


def follow(endings: Floats, heard: Hearing, next_age: NextAge) -> Outlook:
    """Look at age `next_age(0)`, at `next_age` of that, and so on, while the job runs and nothing is heard.

    What ends beyond the grid is looked at all along it, and its end is no part of the lag.
    """
    shares = np.repeat(endings[:BINS] / PARTS, PARTS)
    looks = np.array(looks_of(next_age, _last_age(shares, float(endings[BEYOND]))))
    before = np.searchsorted(looks, _AGES)
    gaps = looks[np.minimum(before, len(looks) - 1)] - _AGES
    shares = np.where(gaps >= 0, shares, 0.0)
    unheard = heard.unheard(np.maximum(gaps, 0.0))
    waited = heard.waited(np.maximum(gaps, 0.0))
    lag_p50, lag_p95, lag_p99 = _quantiles(shares, gaps, heard, (0.5, 0.95, 0.99))
    return Outlook(
        requests=float((shares * (before + unheard)).sum() + endings[BEYOND] * len(looks)),
        lag_mean=float((shares * waited).sum()),
        lag_p50=lag_p50,
        lag_p95=lag_p95,
        lag_p99=lag_p99,
        rescues=float((shares * unheard).sum()),
    )


def by_guidance(floor: float) -> NextAge:
    """As the gateway asks to be asked, with the jitter that is added in the mean."""
    return by_net(floor * (1.0 + JITTER_SHARE / 2))


def by_net(seconds: float) -> NextAge:
    """At a fixed spacing."""
    return lambda age: age + seconds


def by_plan(plan: Plan, floor: float, longest: float) -> NextAge:
    """As was learned, within the bounds that `cadence` holds."""
    soonest = floor * (1.0 + JITTER_SHARE / 2)
    most = max(longest, soonest)
    return lambda age: age + min(max(plan.next_age(age) - age, soonest), most)


def looks_of(next_age: NextAge, until: float) -> list[float]:
    """The ages of the looks at a job that runs so long, and of the first one after that."""
    looks = [next_age(0.0)]
    while looks[-1] < until and len(looks) < MOST_LOOKS:
        following = next_age(looks[-1])
        if following <= looks[-1]:
            raise ValueError(f"After a look at age {looks[-1]} the next is no later, at {following}.")
        looks.append(following)
    return looks


def _last_age(shares: Floats, beyond: float) -> float:
    """The age by which all have ended."""
    if beyond > 0:
        return EDGES[BINS]
    ended = np.flatnonzero(shares)
    return float(_AGES[ended[-1]]) if len(ended) else 0.0


def _quantiles(shares: Floats, gaps: Floats, heard: Hearing, wanted: tuple[float, ...]) -> list[float]:
    """P(lag > x) is P(next look later than x) times P(not heard of within x): halve until it is small."""
    order = np.argsort(gaps)
    sorted_gaps, left = gaps[order], np.cumsum(shares[order])
    whole = left[-1] if left[-1] > 0 else 1.0
    low, high = np.zeros(len(wanted)), np.full(len(wanted), EDGES[BINS])
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        sooner = np.searchsorted(sorted_gaps, middle, side="right")
        later = 1.0 - np.where(sooner > 0, left[np.maximum(sooner - 1, 0)], 0.0) / whole
        above = later * heard.unheard(middle) > 1.0 - np.array(wanted)
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return [float(one) for one in high]
