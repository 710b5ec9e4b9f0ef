"""Jobs with known ends for measuring when they are looked at, and what looking at best would cost for them.

All times are the gateway's seconds; whoever compresses time divides them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import inf
from random import Random
from statistics import fmean
from typing import Any

import numpy as np

from orchestrator.core.learned.grid import EDGES
from orchestrator.core.learned.induction import Hearing, hearing, plan
from orchestrator.core.learned.plan import Plan
from tests.benchmarks.cadence.worlds import HINT, SHAPES, Shape, World

WORTH = 20.0  # seconds of lag that one request is worth
LONGEST = 900.0
LATEST = 300.0  # seconds that a webhook comes after the end, where they are late: at any moment until then
HOOKS = ("none", "instant", "late")
NAMED = {name.replace(" ", "-"): shape for name, shape in SHAPES.items()}


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

    @property
    def ends(self) -> Shape:
        """When they end."""
        return NAMED[self.shape].times(self.times)

    @property
    def heard(self) -> Hearing:
        """How their webhooks come, as nobody in the world knows it."""
        if self.hooks != "late":
            return World(self.ends, self.hooks, self.loss).truth()
        below = np.minimum(np.array([*EDGES, inf]) / LATEST, 1.0)
        return hearing(self.loss, np.diff(below, append=1.0))

    def draw(self, count: int, seed: int) -> "list[Drawn]":
        """The same jobs for the same seed, whatever befalls them."""
        random = Random(f"{seed} {self.shape}")
        return [self._one(random) for _ in range(count)]

    def _one(self, random: Random) -> "Drawn":
        ends, late, lost = self.ends.draw(random), random.random(), random.random()
        delay = late * LATEST if self.hooks == "late" else 0.0
        return Drawn(ends, delay if self.hooks != "none" and lost >= self.loss else inf)


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
    ends = cell.ends.on_grid()
    return plan(ends, cell.heard, floor=HINT, request_seconds=WORTH, longest=LONGEST)


def optimum(cell: Cell, jobs: Iterable[Drawn]) -> Cost:
    """What following the best table would cost for these very jobs."""
    looks, lags = zip(*(_followed(job, best_plan(cell)) for job in jobs), strict=True)
    return Cost(looks, lags)


def _followed(job: Drawn, table: Plan) -> tuple[int, float]:
    heard, age, looks = job.duration + job.delay, 0.0, 0
    while True:
        age = max(table.next_age(age), age + HINT)
        if heard <= age:
            return looks, job.delay
        looks += 1
        if age >= job.duration:
            return looks, age - job.duration
