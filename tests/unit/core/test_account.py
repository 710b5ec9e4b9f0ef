"""What the guidance alone would have cost, against jobs that are followed by it one by one."""

from random import Random

import numpy as np
import pytest

from orchestrator.core.cadence import Guidance, next_look
from orchestrator.core.learned.account import End, by_guidance, lag_of
from orchestrator.core.learned.grid import BINS, bin_of

HINT = 20.0


def followed(random: Random, ended: float, heard: float, first: float = HINT) -> tuple[int, float]:
    """Looks and lag of one job that the guidance looks at, unless its webhook is quicker."""
    now, looks, hint = 0.0, 0, first
    while True:
        now = next_look(now=now, guidance=Guidance(hint), deadline=1e9, jitter=random.random()).at
        if now >= ended + heard:
            return looks, heard
        looks += 1
        if now >= ended:
            return looks, now - ended
        hint = HINT


@pytest.mark.parametrize("ended", [3.0, 21.0, 90.0, 407.0, 3_000.0])
@pytest.mark.parametrize(
    ("heard", "first"), [(None, HINT), (0.5, HINT), (12.0, HINT), (90.0, HINT), (None, 5.0)]
)
def test_it_is_what_following_it_costs(ended: float, heard: float | None, first: float) -> None:
    random = Random(1)
    runs = [followed(random, ended, 1e9 if heard is None else heard, first) for _ in range(2_500)]
    looks, lag = np.mean(runs, axis=0)
    cost = by_guidance(End(ended, ended, ended + 30, heard and ended + heard), None, first=first, hint=HINT)
    assert cost.looks == pytest.approx(looks, rel=0.02, abs=0.03)
    assert cost.lag == pytest.approx(lag, rel=0.05, abs=0.4)


def test_an_end_in_a_span_is_where_its_class_has_it() -> None:
    late = np.zeros(BINS + 1)
    late[bin_of(90.0)] = 1.0
    assert lag_of(End(0.0, 100.0, 100.0), late) == pytest.approx(10.0, abs=3.0)
    assert lag_of(End(0.0, 100.0, 100.0), None) == pytest.approx(50.0, abs=1.0)
    nowhere_near = End(0.0, 50.0, 50.0)
    assert lag_of(nowhere_near, late) == pytest.approx(25.0, abs=1.0)
    whole = by_guidance(End(0.0, 100.0, 100.0), late, first=HINT, hint=HINT)
    assert whole.looks == pytest.approx(
        by_guidance(End(90, 90, 90), None, first=HINT, hint=HINT).looks, abs=0.3
    )


def test_an_end_beyond_all_that_is_known_costs_something_too() -> None:
    end = End(150_000.0, 400_000.0, 400_000.0)
    assert by_guidance(end, np.full(BINS + 1, 1 / (BINS + 1)), first=HINT, hint=HINT).looks > 7_000
