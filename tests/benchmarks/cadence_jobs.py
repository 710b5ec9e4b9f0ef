"""Jobs with known ends for measuring when they are looked at, and what looking at best would cost for them.

All times are the gateway's seconds; whoever compresses time divides them.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, log
from statistics import NormalDist, fmean
from typing import Any

import numpy as np

from orchestrator.core.learned.density import Floats
from orchestrator.core.learned.grid import EDGES
from orchestrator.core.learned.induction import NOTHING_HEARD, Hearing, hearing, plan
from orchestrator.core.learned.plan import Plan

HINT = 20.0
WORTH = 20.0  # seconds of lag that one request is worth
LONGEST = 900.0
LATEST = 300.0  # that a webhook comes after the end, where they are late
SHORTEST = 1.0

Below = Callable[[float], float]


def _normal(mean: float, deviation: float) -> Below:
    return NormalDist(mean, deviation).cdf


def _log_normal(median: float, deviation: float) -> Below:
    return lambda seconds: NormalDist(log(median), deviation).cdf(log(max(seconds, 1e-9)))


def _half_each(one: Below, other: Below) -> Below:
    return lambda seconds: (one(seconds) + other(seconds)) / 2


# The share of jobs that end before an age.
SHAPES: dict[str, Below] = {
    "narrow": _normal(90, 8),
    "log-normal": _log_normal(60, 0.5),
    "two-humps": _half_each(_normal(40, 4), _normal(240, 24)),
    "heavy-tail": _log_normal(60, 1.1),
}
HOOKS = ("none", "instant", "late")


@dataclass(frozen=True)
class Cell:
    """Which jobs: when they end, how their webhooks come, and the share of these that is lost."""

    shape: str
    hooks: str = "none"
    loss: float = 0.0
    times: float = 1.0  # how much longer they take

    @property
    def name(self) -> str:
        """As it is asked for."""
        return self.shape if self.hooks == "none" else f"{self.shape}/{self.hooks}/{self.loss:g}"

    def draw(self, count: int, seed: int) -> "list[Drawn]":
        """The same jobs for the same seed, whatever befalls them."""
        chance = random.Random(f"{seed} {self.shape}")
        return [self._one(chance) for _ in range(count)]

    def _one(self, chance: random.Random) -> "Drawn":
        ends, late, lost = chance.random(), chance.random(), chance.random()
        delay = late * LATEST if self.hooks == "late" else 0.0
        comes = self.hooks != "none" and lost >= self.loss
        return Drawn(max(_age_at(self.shape, ends), SHORTEST) * self.times, delay if comes else inf)


def _age_at(shape: str, share: float) -> float:
    """The age before which this share of the jobs ends."""
    low, high = 0.0, 1e6
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if SHAPES[shape](middle) < share else (low, middle)
    return high


@dataclass(frozen=True)
class Drawn:
    """What will befall one job. `delay` is from its end to its webhook; infinite: none comes."""

    duration: float
    delay: float

    def switches(self) -> dict[str, Any]:
        """The same for the sandbox."""
        if self.delay == inf:
            return {"duration": self.duration, "webhook_lose": "completed"}
        return {"duration": self.duration, "webhook_delay": self.delay}


@dataclass(frozen=True)
class Cost:
    """Requests and lag in seconds of each of some jobs, in their order."""

    requests: Sequence[float]
    lags: Sequence[float]

    @property
    def mean(self) -> float:
        """Seconds a job, requests at what they are worth."""
        return WORTH * fmean(self.requests) + fmean(self.lags)


@cache
def best_plan(cell: Cell) -> Plan:
    """The table of whoever knows the true distributions."""
    return plan(_ends(cell), _heard(cell), floor=HINT, request_seconds=WORTH, longest=LONGEST)


def _ends(cell: Cell) -> Floats:
    below = [SHAPES[cell.shape](edge / cell.times) for edge in EDGES]
    return np.diff([*below, 1.0])


def _heard(cell: Cell) -> Hearing:
    if cell.hooks == "none":
        return NOTHING_HEARD
    latest = LATEST if cell.hooks == "late" else SHORTEST
    below = np.minimum(np.array([*EDGES, inf]) / latest, 1.0)
    return hearing(cell.loss, np.diff(below))


def optimum(cell: Cell, jobs: Iterable[Drawn]) -> Cost:
    """What following the best table would cost for these very jobs."""
    table = best_plan(cell)
    return _followed(jobs, table.next_age)


def guidance(jobs: Iterable[Drawn]) -> Cost:
    """What looking whenever the gateway allows would cost for these very jobs, without jitter."""
    return _followed(jobs, lambda age: age + HINT)


def _followed(jobs: Iterable[Drawn], next_age: Callable[[float], float]) -> Cost:
    requests, lags = [], []
    for job in jobs:
        looks, lag = _one_followed(job, next_age)
        requests.append(looks)
        lags.append(lag)
    return Cost(requests, lags)


def _one_followed(job: Drawn, next_age: Callable[[float], float]) -> tuple[int, float]:
    heard, age, looks = job.duration + job.delay, 0.0, 0
    while True:
        age = max(next_age(age), age + HINT)
        if heard <= age:
            return looks, job.delay
        looks += 1
        if age >= job.duration:
            return looks, age - job.duration
