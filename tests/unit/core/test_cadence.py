"""The floor under every look: what the gateway asked for is never undercut."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core import cadence
from orchestrator.core.cadence import ERROR_CEILING, LONGEST_GUIDANCE, Guidance, next_look, retry_in, spacing

NOW = 0.0  # so that no wait is rounded
FAR = NOW + 1e9
HINTS = st.none() | st.floats(-10, 1e6, allow_nan=False)
JITTER = st.floats(0, 1, exclude_max=True)


def look(poll_after: float | None = None, retry_after: float | None = None, **more: Any) -> float:
    """Seconds to the next look."""
    standard: dict[str, Any] = {"now": NOW, "deadline": FAR, "jitter": 0.0}
    return next_look(guidance=Guidance(poll_after, retry_after), **standard | more).at - NOW


@given(HINTS, HINTS, st.integers(0, 100), JITTER)
def test_a_look_is_never_sooner_than_the_guidance(
    poll_after: float | None, retry_after: float | None, errors: int, jitter: float
) -> None:
    wait = look(poll_after, retry_after, errors=errors, jitter=jitter)
    wanted = poll_after if poll_after and poll_after > 0 else 20.0
    assert wait >= min(max(wanted, retry_after or 0.0), LONGEST_GUIDANCE)


@given(HINTS, HINTS, st.integers(0, 100), st.floats(-1e6, 1e6), JITTER)
def test_not_even_a_passed_deadline_makes_a_look_sooner_than_the_guidance(
    poll_after: float | None, retry_after: float | None, errors: int, left: float, jitter: float
) -> None:
    wait = look(poll_after, retry_after, errors=errors, jitter=jitter, deadline=NOW + left)
    assert wait >= cadence.floor(Guidance(poll_after, retry_after))


@given(HINTS, HINTS)
def test_retry_after_only_ever_raises_the_floor(poll_after: float | None, retry_after: float | None) -> None:
    assert cadence.floor(Guidance(poll_after, retry_after)) >= cadence.floor(Guidance(poll_after))


@given(HINTS, st.integers(0, 50), JITTER)
def test_jitter_only_adds_and_at_most_a_tenth(poll_after: float | None, errors: int, jitter: float) -> None:
    plain, jittered = look(poll_after, errors=errors), look(poll_after, errors=errors, jitter=jitter)
    assert plain <= jittered <= plain * 1.1 + 1e-6


@given(HINTS, st.integers(0, 5_000))
def test_each_further_error_waits_as_long_or_longer(poll_after: float | None, errors: int) -> None:
    guidance = Guidance(poll_after)
    assert spacing(guidance, errors) <= spacing(guidance, errors + 1)
    assert spacing(guidance, errors) <= max(ERROR_CEILING, cadence.floor(guidance))


@pytest.mark.parametrize(("errors", "wait"), [(0, 20), (1, 40), (2, 80), (3, 160), (4, 300), (99, 300)])
def test_errors_double_the_spacing_up_to_five_minutes(errors: int, wait: float) -> None:
    assert look(20.0, errors=errors) == wait


@pytest.mark.parametrize("absent", [None, 0.0, -5.0])
def test_twenty_seconds_stand_in_for_guidance_that_is_absent_or_senseless(absent: float | None) -> None:
    assert look(absent) == 20.0


def test_the_operator_may_choose_what_stands_in_for_absent_guidance() -> None:
    assert look(None, when_absent=0.5) == 0.5
    assert look(7.0, when_absent=0.5) == 7.0


def test_a_hint_beyond_an_hour_is_taken_for_an_hour() -> None:
    assert look(1e9) == LONGEST_GUIDANCE
    assert look(5.0, retry_after=1e9) == LONGEST_GUIDANCE


def test_the_last_look_is_at_the_deadline_and_not_after() -> None:
    assert look(20.0, deadline=NOW + 25, jitter=0.99, errors=3) == 25.0
    assert look(20.0, deadline=NOW + 5) == 20.0, "but never under the floor"


@given(st.integers(-5, 10_000), st.floats(0.01, 1e4), st.floats(0.01, 1e5), JITTER)
def test_backoff_stays_between_its_first_wait_and_its_ceiling(
    attempt: int, first: float, ceiling: float, jitter: float
) -> None:
    wait = retry_in(attempt, first=first, ceiling=ceiling, jitter=jitter)
    assert min(first, ceiling) <= wait <= ceiling * 1.25


def test_sixteen_attempts_at_a_hand_off_take_about_a_day() -> None:
    waits = [retry_in(attempt, first=5.0, ceiling=10_800.0, jitter=0.5) for attempt in range(1, 16)]
    assert 0.5 * 86_400 < sum(waits) < 1.5 * 86_400
