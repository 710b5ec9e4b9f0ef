"""The made-up worlds of the cadence's numbers: when jobs end, how their webhooks come, and what is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np

from orchestrator.core.learned.density import Floats
from orchestrator.core.learned.grid import EDGES
from orchestrator.core.learned.induction import NOTHING_HEARD, Hearing, hearing

HINT = 20.0
TICK = 300.0
INSTANT = 1.0  # seconds that an instant webhook takes at most


@dataclass(frozen=True, slots=True)
class Shape:
    """A distribution of ending ages: how to draw from it, and the probability of having ended by an age."""

    draw: Callable[[Random], float]
    by: Callable[[float], float]

    def times(self, factor: float) -> Shape:
        """The same, so many times slower."""
        return Shape(lambda random: factor * self.draw(random), lambda age: self.by(age / factor))

    def on_grid(self) -> Floats:
        """The probability of each bin."""
        below = np.array([self.by(age) for age in EDGES])
        return np.append(np.diff(below), 1.0 - below[-1])


def _normal(middle: float, spread: float) -> Shape:
    return Shape(
        lambda random: max(random.gauss(middle, spread), 0.5),
        lambda age: 0.5 * (1 + math.erf((age - middle) / spread / math.sqrt(2))),
    )


def _lognormal(median: float, sigma: float) -> Shape:
    return Shape(
        lambda random: random.lognormvariate(math.log(median), sigma),
        lambda age: 0.0 if age <= 0 else 0.5 * (1 + math.erf(math.log(age / median) / sigma / math.sqrt(2))),
    )


def _either(one: Shape, other: Shape) -> Shape:
    return Shape(
        lambda random: (one if random.random() < 0.5 else other).draw(random),
        lambda age: (one.by(age) + other.by(age)) / 2,
    )


SHAPES = {
    "narrow": _normal(90, 8),
    "log-normal": _lognormal(60, 0.5),
    "two humps": _either(_normal(40, 4), _normal(240, 24)),
    "heavy tail": _lognormal(60, 1.1),
}


@dataclass(frozen=True, slots=True)
class World:
    """One cell of the matrix. `hooks` is none, instant, or late: noticed on a tick of five minutes."""

    shape: Shape
    hooks: str
    loss: float

    def truth(self) -> Hearing:
        """How webhooks come, as nobody in the world knows it."""
        if self.hooks == "none":
            return NOTHING_HEARD
        until = INSTANT if self.hooks == "instant" else TICK
        below = np.array([min(age / until, 1.0) for age in EDGES])
        return hearing(self.loss, np.append(np.diff(below), 1.0 - below[-1]))


@dataclass(slots=True)
class Fate:
    """What will become of one job, whoever looks: drawn once, the same for every policy."""

    began_at: float
    ends: float  # age
    hook: float | None  # age at which its webhook comes if nobody looks; None: never
    lost: bool
    travels: float  # seconds that a webhook takes, also one that a look caused
    luck: tuple[float, ...]  # for jitter


def fates(
    world: World, seed: int, jobs: int, every: float, slower: tuple[int, float] | None = None
) -> list[Fate]:
    """The jobs of one run. From the job numbered `slower[0]` on they take `slower[1]` times as long."""
    random, made = Random(seed), []
    for number in range(jobs):
        began_at = number * every + every * random.random()
        ends = world.shape.draw(random)
        if slower and number >= slower[0]:
            ends *= slower[1]
        travels = INSTANT * random.random()
        lost = random.random() < world.loss
        noticed = ends if world.hooks == "instant" else _next_tick(began_at + ends) - began_at
        hook = None if world.hooks == "none" or lost else noticed + travels
        made.append(Fate(began_at, ends, hook, lost, travels, tuple(random.random() for _ in range(16))))
    return made


def _next_tick(at: float) -> float:
    return math.ceil(at / TICK) * TICK
