"""From evidence in spans to a distribution: self-consistent, then smoothed as far as there is evidence.

Turnbull's self-consistent estimate (1976) shares what is only known to lie in a span out over the span, as
the distribution itself has it, until that changes nothing. On few jobs it is spiky: each bin is then spread
over as much as holds a number of neighbours that grows with the square root of the evidence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestrator.core.learned.grid import BEYOND, BINS, bin_of
from orchestrator.core.learned.spans import Spans

Floats = NDArray[np.float64]

PRIOR_JOBS = 1.0  # weight of knowing nothing: any age from a second on is as likely as its double
ROUNDS = 60
SETTLED = 1e-4
CLOSE = 8  # bins: an end known so closely shows when jobs end by itself
UNSURE = 0.02  # of what one begins with is anywhere
WIDEST = 12  # bins to either side that one is spread over at most

_PRIOR = np.zeros(BINS + 1)
_PRIOR[bin_of(1.0) :] = 1.0
_PRIOR /= _PRIOR.sum()


def density(spans: Spans, *, prior_jobs: float = PRIOR_JOBS) -> Floats:
    """The probability of each bin, and at the end of what is beyond all of them."""
    if not spans.weights:
        return _PRIOR.copy()
    return _with_prior(spans, _smoothed(_self_consistent(spans), spans.ended), prior_jobs)


def delays_of(spans: Spans) -> Floats:
    """The same of how late webhooks come. To be cautious, what is only known to be later never comes."""
    return _smoothed(_self_consistent(spans), spans.ended)


def _self_consistent(spans: Spans) -> Floats:
    """Shares what lies in a span over it, as the distribution itself would.

    Begins with what is known closely: wide spans are consistent with nearly anything, and would long keep
    what one began with.
    """
    pairs = np.array(list(spans.weights), dtype=np.intp)
    weights = np.array(list(spans.weights.values()))
    found = np.full(BINS + 1, 1.0 / (BINS + 1))
    closely = pairs[:, 1] - pairs[:, 0] <= CLOSE
    if closely.any() and not closely.all():
        known = _repeated(pairs[closely], weights[closely], found)
        found = (1.0 - UNSURE) * known + UNSURE * found
    return _repeated(pairs, weights, found)


def _repeated(pairs: NDArray[np.intp], weights: Floats, found: Floats) -> Floats:
    first, after = pairs[:, 0], pairs[:, 1] + 1
    for _ in range(ROUNDS):
        below = np.concatenate(([0.0], np.cumsum(found)))
        each = weights / np.maximum(below[after] - below[first], 1e-300)
        shares = np.zeros(BINS + 2)
        np.add.at(shares, first, each)
        np.subtract.at(shares, after, each)
        better = np.maximum(found * np.cumsum(shares)[:-1], 0.0)
        better /= better.sum()
        moved = np.abs(better - found).sum()
        found = better
        if moved < SETTLED:
            break
    return found


def _smoothed(found: Floats, ended: float) -> Floats:
    """Each bin spread evenly over as many to both sides as hold a certain number of jobs."""
    neighbours = np.sqrt(ended) / max(ended, 1.0)
    inside = found[:BINS]
    below = np.concatenate(([0.0], np.cumsum(inside)))
    at = np.arange(BINS)
    half = np.zeros(BINS, dtype=np.intp)
    for width in range(WIDEST):
        low, high = np.maximum(at - width, 0), np.minimum(at + width + 1, BINS)
        half[(below[high] - below[low] < neighbours) & (half == width)] = width + 1
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, BINS)
    spread = np.zeros(BINS + 1)
    np.add.at(spread, low, inside / (high - low))
    np.subtract.at(spread, high, inside / (high - low))
    return np.append(np.maximum(np.cumsum(spread)[:BINS], 0.0), found[BEYOND])


def _with_prior(spans: Spans, found: Floats, prior_jobs: float) -> Floats:
    """Open jobs that outlast all that is known say that it is later, and not how much: as if nothing was."""
    known = spans.ended + prior_jobs
    last = max((last for (_, last) in spans.weights if last < BEYOND), default=0)
    tail = _PRIOR.copy()
    tail[: last + 1] = 0.0
    beyond = found[BEYOND] * tail / max(tail.sum(), 1e-300)
    inside = np.append(found[:BINS], 0.0)
    return np.asarray((spans.ended * (inside + beyond) + prior_jobs * _PRIOR) / known)
