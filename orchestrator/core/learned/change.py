"""Whether jobs end at other ages than they used to: then what was learned before is forgotten."""

from __future__ import annotations

import numpy as np

from orchestrator.core.learned.density import Floats, density
from orchestrator.core.learned.endings import COHORT, Cohort, Endings
from orchestrator.core.learned.grid import BINS
from orchestrator.core.learned.spans import Spans, together

CELLS = 8
# Pearson's statistic over eight cells goes beyond this by chance once in a hundred thousand times.
SURPRISING = 34.7
ENOUGH_BEFORE = 2 * COHORT  # ended jobs: what rests on fewer is outweighed soon anyway
ENOUGH_SINCE = 24  # jobs
MOST_SINCE = 8 * COHORT
UNTOLD = 0.1  # of a cohort's jobs may be open without saying much: else the quick ones alone speak for it


def forget_what_changed(endings: Endings) -> bool:
    """Forget the cohorts before a change. Returns whether there was one."""
    for position in range(len(endings.cohorts) - 1, 0, -1):
        before = together(cohort.evidence for cohort in endings.cohorts[:position])
        if before.ended < ENOUGH_BEFORE:
            return False
        below = _below(before)
        since = together(one.evidence for one in endings.cohorts[position:] if _speaks(one, below))
        # What was earlier is known no better than so many jobs can tell.
        unsure = 1.0 + since.total / before.ended
        if since.total >= ENOUGH_SINCE and _surprise(below, since) > SURPRISING * unsure:
            endings.forget_before(position)
            return True
        if since.total > MOST_SINCE:
            return False
    return False


def surprise(before: Spans, since: Spans) -> float:
    """How much later evidence surprises by the earlier: beyond `SURPRISING` it is of something else."""
    return _surprise(_below(before), since)


def _speaks(cohort: Cohort, below: Floats) -> bool:
    """Whether nearly all jobs of a cohort have ended, or are known to outlast half of the earlier ones."""
    untold = sum(weight for (first, _), weight in cohort.still_open.weights.items() if below[first] < 0.5)
    return untold <= UNTOLD * max(cohort.evidence.total, 1.0)


def _below(spans: Spans) -> Floats:
    return np.concatenate(([0.0], np.cumsum(density(spans))))


def _surprise(below: Floats, since: Spans) -> float:
    """Pearson's statistic of later evidence, in cells that are equally likely by the earlier.

    What is only known to lie in a span counts in each cell as much of it as the span covers, so that it never
    surprises by what is not known.
    """
    cells = np.zeros(CELLS)
    edges = np.linspace(0.0, 1.0, CELLS + 1)
    for (first, last), weight in since.weights.items():
        low, high = below[first], below[min(last, BINS) + 1]
        covered = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0.0, None)
        if covered.sum() > 0:
            cells += weight * covered / covered.sum()
    expected = cells.sum() / CELLS
    return float(((cells - expected) ** 2).sum() / expected) if expected else 0.0
