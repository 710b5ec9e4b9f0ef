"""How webhooks come: what is counted, what is believed, and when a channel is ill."""

from itertools import pairwise
from random import Random

import pytest

from orchestrator.core.learned.hooks import (
    ENOUGH,
    LONGEST_PATIENCE,
    SHORTEST_PATIENCE,
    Health,
    Hooks,
    read_hooks,
    share,
)
from orchestrator.core.learned.silence import expected
from orchestrator.core.learned.spans import Spans


def after(outcomes: str, hooks: Hooks | None = None) -> Hooks:
    """A channel after these outcomes: `1` came, `0` did not."""
    found = hooks or Hooks()
    for at, one in enumerate(outcomes):
        found.learn_came(float(at)) if one == "1" else found.learn_missed("HTTP 503")
        found.judge(float(at))
    return found


def delay(low: float, high: float | None) -> Spans:
    spans = Spans()
    spans.add(low, high)
    return spans


def test_nobody_relies_on_a_channel_of_which_little_was_seen() -> None:
    assert after("1" * (ENOUGH - 1)).lost() == 1.0
    assert after("1" * ENOUGH).lost() < 0.05


def test_the_share_that_is_lost_is_taken_for_more_than_was_seen_and_comes_nearer_with_evidence() -> None:
    few, many = after("1" * 49 + "0"), after(("1" * 49 + "0") * 20)
    assert few.lost() > many.lost() > 0.02
    assert many.lost(-1.96) < 0.02 < many.lost(1.96)


@pytest.mark.parametrize("missed", [2, 3, 4, 5])
def test_a_handful_of_misses_raises_the_share_far_beyond_what_it_was(missed: int) -> None:
    well = after("1" * 1_000)
    before = well.lost()
    assert after("0" * missed, well).lost() > (5 * before if missed < 4 else 0.5)


def test_a_channel_falls_silent_within_a_handful_and_recovers_by_itself() -> None:
    hooks = after("1" * 500)
    assert hooks.health is Health.HEALTHY
    assert after("00000", hooks).health is Health.SILENT
    assert after("1" * 7, hooks).health is Health.SILENT
    assert after("1", hooks).health is not Health.SILENT
    assert after("1" * ENOUGH, hooks).lost() < 0.25
    assert after("1" * 40, hooks).health is Health.HEALTHY


def test_what_the_gateway_said_of_an_outage_is_not_told_when_it_is_over() -> None:
    hooks = Hooks(came=200.0, recent="1" * 32, health=Health.HEALTHY)
    for _ in range(8):
        hooks.learn_missed("HTTP 503")
    assert hooks.judge(1.0) is Health.SILENT
    assert hooks.evidence == {"HTTP 503": 8}
    for number in range(12):
        hooks.learn_came(2.0 + number)
    assert hooks.judge(20.0) is Health.HEALTHY
    assert not hooks.evidence


def test_where_many_are_lost_anyway_a_few_in_a_row_are_no_silence() -> None:
    random = Random(1)
    hooks = after("".join("0" if random.random() < 0.3 else "1" for _ in range(2_000)))
    assert hooks.health is Health.DEGRADED
    assert after("00000", hooks).health is not Health.SILENT


def test_degraded_and_healthy_do_not_flicker() -> None:
    random, hooks = Random(3), after("1" * 100)
    healths = [
        after("0" if random.random() < 0.1 else "1", hooks).health  # a share at the very border
        for _ in range(3_000)
    ]
    assert Health.SILENT not in healths
    assert sum(earlier is not later for earlier, later in pairwise(healths)) <= 2


def test_what_should_have_come_and_did_not_is_silence_without_a_single_look() -> None:
    hooks = after("1" * 100)
    assert hooks.judge(200.0, expected=9.0) is Health.HEALTHY
    assert hooks.judge(103.0, expected=12.5) is Health.HEALTHY, "a pause of four seconds happens"
    assert hooks.judge(201.0, expected=12.5) is Health.SILENT
    assert hooks.lost() == 1.0
    assert hooks.judge(202.0, expected=0.0) is Health.SILENT


def test_one_that_comes_late_takes_its_miss_back() -> None:
    hooks = after("1" * 50 + "0")
    assert hooks.missed == 1
    hooks.learn_late()
    assert (hooks.came, hooks.missed, hooks.recent.count("0")) == (51, 0, 0)


def test_a_webhook_is_awaited_as_long_as_those_that_came_took_and_half_as_long_again() -> None:
    hooks = Hooks()
    assert hooks.patience == SHORTEST_PATIENCE
    for _ in range(100):
        hooks.learn_delay(delay(100.0, 100.0))
    assert 150.0 <= hooks.patience <= 165.0
    for _ in range(10):
        hooks.learn_delay(delay(50_000.0, 50_000.0))
    assert hooks.patience == LONGEST_PATIENCE


def test_what_is_stored_comes_back() -> None:
    hooks = after("1" * 40 + "00")
    hooks.learn_delay(delay(0.3, 0.3))
    hooks.learn_delay(delay(5.0, None))
    assert read_hooks(hooks.as_json()).as_json() == hooks.as_json()
    assert read_hooks({}).as_json() == Hooks().as_json()


def test_the_bound_of_a_share_holds_it() -> None:
    """Of a hundred thousand made-up samples some 95 in a hundred intervals hold the truth."""
    random, held = Random(2), 0
    for _ in range(2_000):
        seen = sum(random.random() < 0.05 for _ in range(100))
        held += share(seen, 100, -1.96) <= 0.05 <= share(seen, 100, 1.96)
    assert 0.92 < held / 2_000 < 0.98


def by_90(age: float) -> float:
    """Jobs end evenly between the ages of 80 and 100."""
    return min(max((age - 80.0) / 20.0, 0.0), 1.0)


def test_jobs_that_must_have_ended_are_expected_to_have_been_told_of() -> None:
    overdue = [(0.0, None)] * 12  # all at the age of 112, ten seconds after the last of them ended
    assert expected(overdue, by_90, last_came_at=60.0, patience=10.0, now=112.0) == pytest.approx(12.0)


def test_nothing_is_expected_of_jobs_that_are_young_or_were_just_seen_running() -> None:
    young, seen = [(60.0, None)] * 12, [(0.0, 109.0)] * 12
    assert expected(young, by_90, last_came_at=100.0, patience=10.0, now=112.0) == 0.0
    assert expected(seen, by_90, last_came_at=100.0, patience=10.0, now=112.0) == 0.0


def test_jobs_that_are_open_since_their_webhooks_were_lost_owe_none() -> None:
    """A thousand began together and a fifth of the webhooks are lost: those are open after all the others."""
    overdue = [(0.0, None)] * 230  # at 100 s; of the 230, 200 ended long ago
    asked = {"last_came_at": 98.0, "patience": 1.0, "now": 100.0}
    assert expected(overdue, by_90, **asked) == pytest.approx(230 * 2 / 3)
    assert expected(overdue, by_90, **asked, lost=0.2) == pytest.approx(230 * 0.08 / 0.32)
    young = [(15.0, None)] * 200  # at 85 s: hardly any was lost yet
    assert expected(young, by_90, **asked, lost=0.2) == pytest.approx(200 * 0.08 / 0.92)
