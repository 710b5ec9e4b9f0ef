"""What a planted bug is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from orchestrator.simulation.invariants import Invariant

Plant = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Bug:
    """A bug put into the product on purpose, and the promises of which it must break one first.

    The world with this seed is tried first: where it still finds the bug, no search is needed.
    """

    name: str
    plant: Plant
    breaks: frozenset[Invariant]
    seed: int


def bug(name: str, plant: Plant, *breaks: Invariant, seed: int = 1) -> Bug:
    return Bug(name, plant, frozenset(breaks), seed)
