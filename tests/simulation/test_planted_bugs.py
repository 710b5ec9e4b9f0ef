"""What the simulation is worth: bugs that are put into the product on purpose, and found."""

import pytest

from orchestrator.simulation.invariants import Invariant
from orchestrator.simulation.run import simulate
from tests.simulation.planted import FURTHER, NAMED
from tests.simulation.test_worlds import SEEDS

# In any of these ways; the same bug shows differently in different worlds.
SHOWS_AS = {
    "guard removed": {
        Invariant.NO_GAPS,
        Invariant.NOTHING_BROKE,
        Invariant.ONE_WINNER,
        Invariant.TRUE_TO_GATEWAY,
    },
    "inbox dedupe removed": {Invariant.EVENT_ONCE},
    "lease fence ignored": {Invariant.OLD_FENCE},
    "stored evidence ignored": {Invariant.TRUE_TO_GATEWAY},
    "follow-up sent before commit": {Invariant.SENT_AFTER_COMMIT},
    "floor ignored": {Invariant.FLOOR},
    "lost create repeated": {Invariant.PAID_ONCE},
    "claims what others hold": {Invariant.ONE_HOLDER},
    "claims without a heartbeat": {Invariant.ONE_HOLDER},
}


@pytest.mark.parametrize("name", SHOWS_AS)
def test_it_is_found_in_worlds_that_are_sound_without_it(name: str) -> None:
    with (NAMED | FURTHER)[name]():
        found = next((found for seed in SEEDS if (found := simulate(seed)).violation), None)
    assert found is not None
    assert found.violation is not None
    assert found.violation.invariant in SHOWS_AS[name]
    assert simulate(found.seed).violation is None


def test_every_bug_that_was_planted_is_looked_for() -> None:
    assert set(SHOWS_AS) == set(NAMED | FURTHER)
