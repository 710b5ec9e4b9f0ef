"""Requests of the same moment share a transaction, and fail alone."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.web import group_commit
from orchestrator.web.group_commit import GroupCommit
from tests.patience import LONG


class Work:
    """Transactions that are let go one by one, and what was done in each.

    `apart` cannot be shared, `poisoned` cannot be done, and `slow` is held up where it is done alone.
    """

    def __init__(self, *, apart: str = "", poisoned: str = "", slow: str = "") -> None:
        self.asked: list[str] = []  # for whatever was tried, done or not
        self.shared: list[list[str]] = []
        self.done_alone: list[str] = []
        self._apart, self._poisoned, self._slow = apart, poisoned, slow
        self.began, self.go_on = threading.Event(), threading.Event()

    def together(self, some: Sequence[str]) -> list[str | None]:
        self.asked += some
        if "held" in some:
            self._hold()
        if set(some) & set(self._poisoned):
            raise ValueError("a poisoned one")
        self.shared.append([one for one in some if one not in self._apart])
        return [None if one in self._apart else one.upper() for one in some]

    def alone(self, one: str) -> str:
        self.asked.append(one)
        if one in self._slow:
            self._hold()
        if one in self._poisoned:
            raise ValueError(one)
        self.done_alone.append(one)
        return one.upper()

    def _hold(self) -> None:
        self.began.set()
        assert self.go_on.wait(LONG)


def running(
    act: Callable[[GroupCommit[str, str]], Coroutine[Any, Any, Any]], work: Work, *, again: bool = True
) -> Any:
    async def inside() -> Any:
        with ThreadPoolExecutor(8) as threads:
            try:
                return await act(GroupCommit(work.together, work.alone, threads, again=again))
            finally:
                work.go_on.set()

    return asyncio.run(asyncio.wait_for(inside(), LONG))


async def beside_one_that_is_held(commits: GroupCommit[str, str], work: Work, *rest: str) -> list[Any]:
    """These come in while a transaction is under way."""
    first = asyncio.create_task(commits.do("held"))
    await asyncio.to_thread(work.began.wait, LONG)
    others = [asyncio.create_task(commits.do(one)) for one in rest]
    await asyncio.sleep(0)
    work.go_on.set()
    return await asyncio.gather(first, *others, return_exceptions=True)


def test_what_comes_alone_is_done_at_once() -> None:
    work = Work()
    assert running(lambda commits: commits.do("a"), work) == "A"
    assert (work.shared, work.done_alone) == ([["a"]], [])


def test_what_comes_alone_and_fails_is_not_tried_again() -> None:
    work = Work(poisoned="a")
    with pytest.raises(ValueError, match="a poisoned one"):
        running(lambda commits: commits.do("a"), work)
    assert work.asked == ["a"]


def test_what_comes_meanwhile_shares_the_next_transaction() -> None:
    work = Work()
    answers = running(lambda commits: beside_one_that_is_held(commits, work, "a", "b", "c"), work)
    assert answers == ["HELD", "A", "B", "C"]
    assert work.shared == [["held"], ["a", "b", "c"]]


def test_no_transaction_is_larger_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MOST", 2)
    work = Work()
    answers = running(lambda commits: beside_one_that_is_held(commits, work, "a", "b", "c", "d"), work)
    assert answers == ["HELD", "A", "B", "C", "D"]
    assert work.shared == [["held"], ["a", "b"], ["c", "d"]]


def test_what_cannot_share_one_is_done_alone() -> None:
    work = Work(apart="b")
    answers = running(lambda commits: beside_one_that_is_held(commits, work, "a", "b", "c"), work)
    assert answers == ["HELD", "A", "B", "C"]
    assert work.shared == [["held"], ["a", "c"]]
    assert work.done_alone == ["b"]


def test_a_poisoned_one_fails_alone() -> None:
    work = Work(poisoned="b")
    answers = running(lambda commits: beside_one_that_is_held(commits, work, "a", "b", "c"), work)
    assert [answers[place] for place in (0, 1, 3)] == ["HELD", "A", "C"]
    assert isinstance(answers[2], ValueError)
    assert sorted(work.done_alone) == ["a", "c"]


def test_what_may_have_an_effect_already_is_not_done_again() -> None:
    work = Work(poisoned="b")
    act = beside_one_that_is_held
    answers = running(lambda commits: act(commits, work, "a", "b", "c"), work, again=False)
    assert answers[0] == "HELD"
    assert [str(one) for one in answers[1:]] == ["a poisoned one"] * 3
    assert work.asked == ["held", "a", "b", "c"]


def test_nobody_waits_for_one_that_is_done_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LONG", LONG)
    work = Work(apart="x", slow="x")

    async def others_first(commits: GroupCommit[str, str]) -> list[str]:
        first = asyncio.create_task(commits.do("x"))
        await asyncio.to_thread(work.began.wait, LONG)
        others = [await commits.do("a"), await commits.do("b")]
        assert not first.done()
        work.go_on.set()
        return [await first, *others]

    assert running(others_first, work) == ["X", "A", "B"]


def test_one_that_is_held_up_holds_up_no_others() -> None:
    work = Work()

    async def others_first(commits: GroupCommit[str, str]) -> list[str]:
        first = asyncio.create_task(commits.do("held"))
        await asyncio.to_thread(work.began.wait, LONG)
        others = await asyncio.gather(commits.do("a"), commits.do("b"))
        assert not first.done()
        work.go_on.set()
        return [await first, *others]

    assert running(others_first, work) == ["HELD", "A", "B"]


def test_for_whoever_does_not_wait_any_more_nothing_is_done() -> None:
    work = Work()

    async def one_leaves(commits: GroupCommit[str, str]) -> list[Any]:
        first = asyncio.create_task(commits.do("held"))
        await asyncio.to_thread(work.began.wait, LONG)
        leaving = asyncio.create_task(commits.do("a"))
        await asyncio.sleep(0)
        leaving.cancel()
        work.go_on.set()
        return [await first, await commits.do("b")]

    assert running(one_leaves, work) == ["HELD", "B"]
    assert work.done_alone == []
    assert work.shared == [["held"], ["b"]]


def test_what_cannot_share_is_not_done_for_whoever_left_meanwhile() -> None:
    work = Work(apart="held")

    async def one_leaves(commits: GroupCommit[str, str]) -> str:
        leaving = asyncio.create_task(commits.do("held"))
        await asyncio.to_thread(work.began.wait, LONG)
        leaving.cancel()
        work.go_on.set()
        return await commits.do("b")

    assert running(one_leaves, work) == "B"
    assert work.asked == ["held", "b"]
