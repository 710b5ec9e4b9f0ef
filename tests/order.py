"""The order of a run: tests that mostly wait stand between those that compute, so that no core is idle."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

Test = TypeVar("Test")
UNTIL = 0.75  # of the others: whatever waits for long must not be what a run waits for in the end


def spread(slow: Sequence[Test], others: Sequence[Test], module_of: Callable[[Test], object]) -> list[Test]:
    """All of them, each kind in its own order; modules stay whole, since their fixtures are made once."""
    waiting, ordered = list(slow), list[Test]()
    for module in _modules(others, module_of):
        share = len(slow) * len(ordered) // max(1, round(UNTIL * (len(others) + len(slow))))
        taken = max(0, min(len(waiting), share + 1 - (len(slow) - len(waiting))))
        ordered += [*waiting[:taken], *module]
        del waiting[:taken]
    return ordered + waiting


def _modules(tests: Iterable[Test], module_of: Callable[[Test], object]) -> list[list[Test]]:
    return [list(group) for _, group in groupby(tests, key=module_of)]
