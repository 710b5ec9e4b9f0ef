"""Bugs about what is told of a job to whoever follows it."""

from contextlib import AbstractContextManager
from unittest.mock import patch

from orchestrator.core.lifecycle import SETTLED
from orchestrator.engine import telling
from orchestrator.simulation.invariants import Invariant
from tests.simulation.planted.bug import bug


def looks_not_told() -> AbstractContextManager[object]:
    """Progress that only a look brought is kept, and told nobody."""
    return patch.object(telling, "got_further", lambda tx, looked_at, looks, kept: None)


def ends_not_told() -> AbstractContextManager[object]:
    """What is told ends where the waiting does."""
    real = telling.learned
    return patch.object(
        telling,
        "learned",
        lambda tx, effects: real(tx, [one for one in effects if one[1].step.to not in SETTLED]),
    )


BUGS = (
    bug("progress of looks is not told", looks_not_told, Invariant.TOLD, seed=2),
    bug("ends are not told", ends_not_told, Invariant.TOLD),
)
