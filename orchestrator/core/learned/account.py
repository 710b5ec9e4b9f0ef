"""What the guidance alone would have cost for a job that has ended: looks, and seconds until it was told.

Looks by the guidance are a renewal process: each comes one to 1.1 hints after the one before it. Its renewal
function M gives everything (Cox 1962): M(t) looks are sent until one sees an end at age t, and in the mean
that one comes `1.05 hints * M(t) - t` later. A webhook that comes before it saves it, then as now.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import erf, sqrt

import numpy as np

from orchestrator.core.cadence import JITTER_SHARE
from orchestrator.core.learned.density import Floats
from orchestrator.core.learned.grid import BINS, EDGES

_EDGES = np.array(EDGES)
_MEAN = 1.0 + JITTER_SHARE / 2
_DEVIATION = JITTER_SHARE / sqrt(12.0)
_TABLE_TO, _TABLE_STEP = 400.0, 0.02  # hints; only then have looks drifted apart as far as they ever do
_UNSURE = 5.0  # deviations about the mean of a look within which it may lie
_FIRST = 1.0 + JITTER_SHARE * (np.arange(20) + 0.5) / 20  # when the first look may be, each as likely
_STEPS = 13  # of an integral over the time until a webhook comes


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one job: looks, and the lag between its end and the moment it was told, in seconds."""

    looks: float
    lag: float


@dataclass(frozen=True, slots=True)
class End:
    """When a job ended, as ages in seconds: between `low` and `high`, told at `told`.

    `heard` is the age at which its webhook came by itself; None: none did, or our look caused it.
    """

    low: float
    high: float
    told: float
    heard: float | None = None


def lag_of(end: End, endings: Floats | None) -> float:
    """Seconds between the end and our knowing of it."""
    ages, weights = _ages(end, endings)
    return float(np.maximum(end.told - ages, 0.0) @ weights)


def by_guidance(end: End, endings: Floats | None, *, first: float, hint: float) -> Cost:
    """What the same job costs by the guidance. `first` is its hint before the first answer."""
    ages, weights = _ages(end, endings)
    sent = _sent(ages, first, hint)
    until_look = _next_look(ages, first, hint) - ages
    if end.heard is None:
        return Cost(float(sent @ weights), float(until_look @ weights))
    # Within the longest spacing there is one look, and its chance grows as looks are sent in the mean.
    longest = max(first, hint) * (1.0 + JITTER_SHARE)
    late = np.clip(end.heard - ages, 0.0, longest)
    seconds = late[:, None] * np.linspace(0.0, 1.0, _STEPS)
    looked = np.clip(_sent(ages[:, None] + seconds, first, hint) - sent[:, None], 0.0, 1.0)
    lag = np.where(late < longest, np.trapezoid(1.0 - looked, seconds, axis=1), until_look)
    return Cost(float((sent - 1.0 + looked[:, -1]) @ weights), float(lag @ weights))


def _ages(end: End, endings: Floats | None) -> tuple[Floats, Floats]:
    """Ages at which it may have ended, and how likely each is by what is known of its class."""
    if end.high - end.low < 1e-3:
        return np.array([end.high]), np.ones(1)
    first, last = np.searchsorted(_EDGES, end.low, "right") - 1, np.searchsorted(_EDGES, end.high, "left")
    edges = np.clip(_EDGES[first : last + 1], end.low, end.high)
    widths = np.diff(edges)
    weights = widths
    if endings is not None and last <= BINS:
        dense = endings[first:last] * widths / np.diff(_EDGES[first : last + 1])
        weights = dense if dense.sum() > 0 else widths
    return (edges[1:] + edges[:-1]) / 2, weights / weights.sum()


def _sent(ages: Floats, first: float, hint: float) -> Floats:
    """Looks that are sent until one comes after an end at these ages."""
    left = (ages[..., None] - first * _FIRST) / hint
    return np.asarray(1.0 + np.where(left > 0, _renewals(left), 0.0).mean(axis=-1))


def _next_look(ages: Floats, first: float, hint: float) -> Floats:
    """The age at the first look after an end at these ages, in the mean."""
    firsts = first * _FIRST
    left = (ages[..., None] - firsts) / hint
    later = np.where(left > 0, hint * _MEAN * _renewals(left), 0.0)
    return np.asarray((firsts + later).mean(axis=-1))


def _renewals(hints: Floats) -> Floats:
    at, table = _table()
    far = hints / _MEAN + (1.0 + (_DEVIATION / _MEAN) ** 2) / 2
    return np.asarray(np.where(hints < _TABLE_TO, np.interp(hints, at, table), far))


@lru_cache(maxsize=1)
def _table() -> tuple[Floats, Floats]:
    """Looks until one comes at or after so many hints: one, and one more for each that comes before."""
    at = np.arange(0.0, _TABLE_TO + _TABLE_STEP, _TABLE_STEP)
    looks = np.ones(len(at))
    for number in range(1, int(_TABLE_TO) + 1):
        spread = min(_UNSURE * _DEVIATION * sqrt(number), number * JITTER_SHARE / 2)
        low, high = np.searchsorted(at, (number * _MEAN - spread, number * _MEAN + spread))
        looks[low:high] += [_sooner(number, float(one)) for one in at[low:high]]
        looks[high:] += 1.0
    return at, looks


def _sooner(number: int, hints: float) -> float:
    """The probability that this look in a row comes before so many hints."""
    if number == 1:
        return (hints - 1.0) / JITTER_SHARE
    return 0.5 * (1.0 + erf((hints - number * _MEAN) / (_DEVIATION * sqrt(2.0 * number))))
