"""The list is believed where it was seen to be right, read where it saves more than it costs, and checked."""

from collections import Counter

import pytest

from orchestrator.core.learned import lists
from orchestrator.core.learned.folding import Known
from orchestrator.core.learned.lists import GET_EVERY, Freshness, Lists, gets_anyway, read_freshness

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("fresh", "stale", "believed"),
    [(0, 0, False), (19, 0, False), (20, 0, True), (60, 3, True), (58, 6, False), (0, 60, False)],
)
def test_a_list_is_believed_once_it_showed_enough_ends_in_time(
    fresh: int, stale: int, believed: bool
) -> None:
    assert Freshness(fresh, stale).believed is believed


def test_a_list_that_was_always_right_is_doubted_after_a_handful_that_it_did_not_show() -> None:
    known = Freshness()
    for _ in range(1_000):
        known.learn(1, 0)
    missed = 0
    while known.believed:
        known.learn(0, 1)
        missed += 1
    assert missed <= 6


def test_many_ends_in_one_lesson_count_as_much_as_one_by_one_at_most() -> None:
    known = Freshness(64, 0)
    known.learn(0, 500)
    assert (known.fresh, known.stale) == (0, 500)
    known.learn(30, 0)
    assert known.fresh + known.stale == pytest.approx(lists.REMEMBERED)


def test_what_is_known_of_a_list_comes_back_from_the_store() -> None:
    assert read_freshness(Freshness(12.5, 3).as_json()) == Freshness(12.5, 3)
    assert read_freshness({}) == Freshness()


def test_lessons_about_lists_are_folded_by_account_and_provider() -> None:
    known = Known()
    for provider, fresh, stale in (("Google", 3, 0), ("google", 2, 1), ("x-ai", 0, 4)):
        known.listing({"account": "a", "provider": provider, "fresh": fresh, "stale": stale})
    assert known.lists == {"a|google": Freshness(5, 1), "a|x-ai": Freshness(0, 4)}


def test_of_ten_looks_at_a_job_one_is_a_get_and_jobs_take_turns() -> None:
    jobs = [f"job_{number}" for number in range(200)]
    for job in jobs:
        assert sum(gets_anyway(job, claims) for claims in range(30)) == 3
    first = Counter(next(n for n in range(GET_EVERY) if gets_anyway(job, n)) for job in jobs)
    assert len(first) == GET_EVERY
    assert max(first.values()) < 40


def test_no_list_is_read_for_a_few_jobs() -> None:
    assert not Lists().is_worth(["a|google"] * 3, NOW)
    assert Lists().is_worth(["a|google"] * 4, NOW)


def test_a_list_that_saves_nothing_is_left_alone_for_a_while_and_then_tried_again() -> None:
    known = Lists()
    known.learn_saved("a|google", jobs=50, gets=0, now=NOW)
    assert not known.is_worth(["a|google"] * 40, NOW + 1)
    assert known.is_worth(["a|google"] * 4 + ["a|x-ai"] * 4, NOW + 1), "of the others nothing is known yet"
    assert known.is_worth(["a|google"] * 40, NOW + 240)


def test_a_list_that_saves_one_get_in_five_is_read_for_eight_jobs_and_not_for_five() -> None:
    known = Lists()
    known.learn_saved("a|google", jobs=500, gets=100, now=NOW)
    assert known.is_worth(["a|google"] * 8, NOW)
    assert not known.is_worth(["a|google"] * 5, NOW)
