"""The order of a run: tests that mostly wait stand between those that compute, so that no core is idle.

What is dear to make for several tests is made in one process: xdist's own mark for that does nothing with
pytest 9.2, which keeps a test's name where xdist 3.8 does not write it.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

from xdist.scheduler import LoadScopeScheduling

Test = TypeVar("Test")
# Modules and folders whose fixture for all their tests takes seconds of processor time.
IN_ONE_PROCESS = (
    "tests/browser",
    "tests/simulation/test_worlds.py",
    "tests/integration/cli/test_nothing_leaks.py",
    "tests/integration/store/test_cost_of_due_work.py",
    "tests/documentation/test_pages_that_are_followed.py",
    "tests/house_rules/test_generated_docs.py",
    "tests/house_rules/test_site.py",
)
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


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Each test goes to whichever process is free, but those of a module that is to stay in one."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)


def together(test: str) -> str:
    """What a test shares with those that run in one process with it."""
    return next((shared for shared in IN_ONE_PROCESS if test.startswith((f"{shared}/", f"{shared}::"))), test)


def _modules(tests: Iterable[Test], module_of: Callable[[Test], object]) -> list[list[Test]]:
    return [list(group) for _, group in groupby(tests, key=module_of)]
