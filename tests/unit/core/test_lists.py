"""The list is believed where it was seen to be right, read where it saves more than it costs, and checked."""

from collections import Counter

import pytest

from orchestrator.core.learned import lists
from orchestrator.core.learned.folding import Known
from orchestrator.core.learned.lists import (
    GET_EVERY,
    TRIED_EVERY,
    Freshness,
    Lists,
    Reach,
    gets_anyway,
    read_freshness,
)


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


def wanted(known: Lists, *channels: str) -> bool:
    return known.wanted("a", channels)


def test_no_list_is_read_for_a_few_jobs() -> None:
    assert not wanted(Lists(), *["a|google"] * 3)
    assert wanted(Lists(), *["a|google"] * 4)


def test_a_list_that_shows_none_of_the_jobs_is_read_for_one_look_in_fifty() -> None:
    known, read = Lists(), 0
    for _ in range(100):
        if wanted(known, *["a|google"] * 5):
            read += 1
            known.learn_reach("a|google", jobs=5, ended=0, running=0)
    assert read == pytest.approx(500 / TRIED_EVERY, abs=2)
    assert wanted(known, *["a|google"] * 4, *["a|x-ai"] * 4), "of the others nothing is known yet"


def test_running_jobs_that_a_list_shows_save_a_get_only_where_they_are_believed() -> None:
    known = Lists()
    known.learn_reach("a|google", jobs=50, ended=0, running=50)
    assert not wanted(known, *["a|google"] * 20)
    known.freshness = {"a|google": Freshness(60, 0)}
    assert wanted(known, *["a|google"] * 4)


def test_a_list_that_shows_the_end_of_one_job_in_five_is_read_for_eight_and_not_for_five() -> None:
    known = Lists()
    known.learn_reach("a|google", jobs=500, ended=100, running=0)
    assert wanted(known, *["a|google"] * 8)
    assert not wanted(known, *["a|google"] * 5)


def test_what_a_list_reached_long_ago_is_forgotten() -> None:
    known = Reach()
    known.learn(500, 400, 100)
    for _ in range(20):
        known.learn(10, 0, 0)
    assert known.saves(believed=True) < 0.05


def test_a_list_is_read_for_the_ends_that_it_shows_of_jobs_not_due_too() -> None:
    known = Lists()
    known.learn_reach("a|google", jobs=500, ended=0, running=0)
    for _ in range(5):
        known.learn_unasked("a", 4)
    assert wanted(known, *["a|google"] * 4)
    for _ in range(5):
        known.learn_unasked("a", 0)
    assert not wanted(known, *["a|google"] * 4)
