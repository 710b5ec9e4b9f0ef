"""Whether jobs end at other ages than they used to: then what was learned before is forgotten."""

from __future__ import annotations

import numpy as np

from orchestrator.core.learned.density import density
from orchestrator.core.learned.endings import COHORT, Endings
from orchestrator.core.learned.grid import BINS
from orchestrator.core.learned.spans import Spans, together

CELLS = 8
# Pearson's statistic over eight cells goes beyond this by chance once in a hundred thousand times.
SURPRISING = 34.7
ENOUGH_BEFORE = 2 * COHORT  # ended jobs: what rests on fewer is outweighed soon anyway
ENOUGH_SINCE = 24  # jobs


def forget_what_changed(endings: Endings) -> bool:
    """Forget the cohorts before a change. Returns whether there was one."""
    for position in range(len(endings.cohorts) - 1, 0, -1):
        before = together(cohort.evidence for cohort in endings.cohorts[:position])
        since = together(cohort.evidence for cohort in endings.cohorts[position:])
        if since.total < ENOUGH_SINCE:
            continue
        if before.ended < ENOUGH_BEFORE:
            return False
        if surprise(before, since) > SURPRISING:
            endings.forget_before(position)
            return True
        if since.total > 4 * COHORT:
            return False
    return False


def surprise(before: Spans, since: Spans) -> float:
    """Pearson's statistic of later evidence, in cells that are equally likely by the earlier.

    What is only known to lie in a span counts in each cell as much of it as the span covers, so that it never
    surprises by what is not known.
    """
    below = np.concatenate(([0.0], np.cumsum(density(before))))
    cells = np.zeros(CELLS)
    edges = np.linspace(0.0, 1.0, CELLS + 1)
    for (first, last), weight in since.weights.items():
        low, high = below[first], below[min(last, BINS) + 1]
        covered = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0.0, None)
        if covered.sum() > 0:
            cells += weight * covered / covered.sum()
    expected = cells.sum() / CELLS
    return float(((cells - expected) ** 2).sum() / expected) if expected else 0.0
