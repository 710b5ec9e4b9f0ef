"""Ages and delays, in bins that grow with them: a twentieth wide, from a tenth of a second to two days."""

from __future__ import annotations

from bisect import bisect_right

FIRST = 0.1
RATIO = 1.05
LAST = 172_800.0


def _edges() -> tuple[float, ...]:
    edges = [0.0, FIRST]
    while edges[-1] < LAST:
        edges.append(edges[-1] * RATIO)
    return tuple(edges)


EDGES = _edges()  # seconds; bin `i` reaches from EDGES[i] to EDGES[i + 1]
BINS = len(EDGES) - 1
BEYOND = BINS  # stands for everything after the last edge


def bin_of(seconds: float) -> int:
    """The bin that a moment falls into; `BEYOND` after the last edge."""
    return min(bisect_right(EDGES, max(seconds, 0.0)) - 1, BEYOND)


def bins_between(low: float, high: float) -> tuple[int, int]:
    """The first and last bin of what lies between two moments: bins that it only touches are left out."""
    first, last = bin_of(low), bin_of(high)
    if first < last and low > _middle(first):
        first += 1
    if first < last and high < _middle(last):
        last -= 1
    return first, last


def _middle(index: int) -> float:
    return EDGES[BINS] if index >= BEYOND else (EDGES[index] + EDGES[index + 1]) / 2
