"""What the simulation is worth: bugs that are put into the product on purpose, and found."""

import pytest

from orchestrator.simulation.invariants import Invariant
from orchestrator.simulation.run import simulate
from tests.simulation.planted import BUGS
from tests.simulation.planted.bug import Bug

SEEDS = range(1, 301)


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_it_is_found_as_what_it_is_in_a_world_that_is_sound_without_it(bug: Bug) -> None:
    with bug.plant():
        found = next((found for seed in (bug.seed, *SEEDS) if (found := simulate(seed)).violation), None)
    assert found is not None
    assert found.violation is not None
    assert found.violation.invariant in bug.breaks
    assert simulate(found.seed).violation is None


def test_for_every_promise_there_is_a_bug_that_breaks_it() -> None:
    assert {invariant for bug in BUGS for invariant in bug.breaks} == set(Invariant)
