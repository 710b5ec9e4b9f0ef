"""The best moments to look, by backward induction over a grid of ages (docs/explanation/cadence.md).

V(u) = min over t >= u + floor of ( lag of those that ended between u and t
                                    + c for a look, unless all was heard
                                    + V(t) if it still runs ) / P(running at u)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.core.learned.density import Floats
from orchestrator.core.learned.grid import BINS, EDGES
from orchestrator.core.learned.plan import Plan

Indices = NDArray[np.intp]
_EDGES = np.array(EDGES)
_MIDDLES = (_EDGES[:-1] + _EDGES[1:]) / 2


@dataclass(frozen=True, slots=True)
class Hearing:
    """How webhooks come after an end: `late[i]` is the share of those that come which do so after edge `i`.

    `lost` is the share that never comes; with 1 none is awaited.
    """

    lost: float
    late: Floats

    def unheard(self, seconds: Floats) -> Floats:
        """The share of ends not heard of so many seconds after them."""
        return np.asarray(self.lost + (1.0 - self.lost) * np.interp(seconds, _EDGES, self.late))

    def waited(self, seconds: Floats) -> Floats:
        """How long one has waited in the mean after so many seconds if nobody looks: E[min(delay, s)]."""
        unheard = self.lost + (1.0 - self.lost) * self.late
        areas = (unheard[1:] + unheard[:-1]) / 2 * np.diff(_EDGES)
        return np.asarray(np.interp(seconds, _EDGES, np.concatenate(([0.0], np.cumsum(areas)))))


NOTHING_HEARD = Hearing(1.0, np.ones(BINS + 1))


def hearing(lost: float, delays: Floats) -> Hearing:
    """From the share that never comes, and the distribution of the delay of those that come."""
    late = 1.0 - np.concatenate(([0.0], np.cumsum(delays[:BINS])))
    return Hearing(lost, np.clip(late, 0.0, 1.0))


def plan(
    endings: Floats,
    heard: Hearing,
    *,
    floor: float,
    request_seconds: float,
    longest: float,
    jobs: float = 0.0,
) -> Plan:
    """The table for a class. `floor` is the gateway's hint, `longest` the widest spacing, in seconds.

    `request_seconds` is how many seconds of lag one request is worth.
    """
    running = 1.0 - np.concatenate(([0.0], np.cumsum(endings[:BINS])))
    running = np.maximum(running, 1e-12)
    apart = np.maximum(_EDGES[None, :] - _MIDDLES[:, None], 0.0)
    inside = endings[:BINS, None] * (apart > 0)
    unheard = _reversed_sum(inside * heard.unheard(apart))
    lag = _reversed_sum(inside * heard.waited(apart))
    cost = lag + request_seconds * (unheard + running[None, :])
    after = _induce(cost, running, floor, longest, request_seconds)
    requests, lagged, rescues = _followed(after, lag, unheard, running)
    return Plan(
        ages=EDGES,
        after=tuple(float(one) for one in _EDGES[after]),
        ended=tuple(float(one) for one in 1.0 - running),
        unheard=tuple(float(one) for one in unheard[0]),
        floor=floor,
        jobs=jobs,
        lost=None if heard is NOTHING_HEARD else heard.lost,
        requests=requests,
        lag=lagged,
        rescues=rescues,
    )


def _reversed_sum(values: Floats) -> Floats:
    """Row `u`: what lies at or after bin `u`; a last row of nothing."""
    summed = np.cumsum(values[::-1], axis=0)[::-1]
    return np.vstack((summed, np.zeros(values.shape[1])))


def _induce(cost: Floats, running: Floats, floor: float, longest: float, request_seconds: float) -> Indices:
    first = np.searchsorted(_EDGES, _EDGES + floor - 1e-9)
    first = np.maximum(first, np.arange(BINS + 1) + 1)  # later at least, or following it would never end
    last = np.searchsorted(_EDGES, _EDGES + longest + 1e-9) - 1
    value = np.full(BINS + 1, request_seconds)
    after = np.full(BINS + 1, BINS, dtype=np.intp)
    further = running * value
    for at in range(BINS - 1, -1, -1):
        soonest = first[at]
        if soonest > BINS:
            continue
        until = max(last[at], soonest) + 1
        costs = cost[at, soonest:until] + further[soonest:until]
        best = int(np.argmin(costs))
        after[at] = soonest + best
        value[at] = costs[best] / running[at]
        further[at] = costs[best]
    return after


def _followed(after: Indices, lag: Floats, unheard: Floats, running: Floats) -> tuple[float, float, float]:
    """Requests and lag a job, and the share found by a look, of jobs that follow the table."""
    at, requests, lagged, found = 0, 0.0, 0.0, 0.0
    while at < BINS:
        to = int(after[at])
        requests += float(unheard[at, to] + running[to])
        lagged += float(lag[at, to])
        found += float(unheard[at, to])
        at = to
    return requests, lagged, found
