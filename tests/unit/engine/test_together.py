"""Threads that share a transaction: each has its answer, and what is wrong with one costs others nothing."""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from orchestrator.engine import together
from orchestrator.engine.together import Together
from tests.acceptance.waiting import until
from tests.patience import LONG


@dataclass
class Transactions:
    """Doubles numbers when it may. Which it does alone and which it breaks at is for the test to say."""

    together: Together = field(default_factory=Together)
    done: list[list[int]] = field(default_factory=list)
    apart: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)
    held: dict[int, threading.Event] = field(default_factory=dict)
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8))

    def __call__(self, numbers: Sequence[int]) -> list[int | None]:
        """One transaction."""
        self.done.append(sorted(numbers))
        for number in numbers:
            if number in self.held:
                assert self.held[number].wait(LONG)
        if self.broken & set(numbers):
            raise ValueError("cannot be doubled")
        return [None if len(numbers) > 1 and number in self.apart else 2 * number for number in numbers]

    def ask(self, *numbers: int) -> "list[Future[int]]":
        """Ask for these, each in a thread of its own, once all before have come."""
        asked = []
        for number in numbers:
            there = self.waiting()
            asked.append(self.threads.submit(self.together.do, number, self))
            until("it has come", lambda there=there, number=number: self._has_come(number, there))  # type: ignore[misc]
        return asked

    def waiting(self) -> int:
        return len(self.together._waiting)

    def _has_come(self, number: int, there: int) -> bool:
        return self.waiting() > there or any(number in some for some in self.done)


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Transactions:
    monkeypatch.setattr(together, "LONG", LONG)
    return Transactions()


def hold(numbers: Transactions, number: int) -> threading.Event:
    numbers.held[number] = threading.Event()
    return numbers.held[number]


def test_what_comes_alone_is_done_at_once(numbers: Transactions) -> None:
    assert [numbers.together.do(one, numbers) for one in (1, 2)] == [2, 4]
    assert numbers.done == [[1], [2]]


def test_what_comes_while_one_is_under_way_is_done_together_by_the_next(numbers: Transactions) -> None:
    go_on = hold(numbers, 1)
    asked = numbers.ask(1, 2, 3, 4)
    assert numbers.done == [[1]]
    go_on.set()
    assert [one.result(LONG) for one in asked] == [2, 4, 6, 8]
    assert numbers.done == [[1], [2, 3, 4]]
    assert numbers.together.do(5, numbers) == 10, "nobody is left waiting, and nobody is thought to be at it"


def test_what_cannot_share_a_transaction_has_its_own(numbers: Transactions) -> None:
    numbers.apart = {3}
    go_on = hold(numbers, 1)
    asked = numbers.ask(1, 2, 3, 4)
    go_on.set()
    assert [one.result(LONG) for one in asked] == [2, 4, 6, 8]
    assert numbers.done == [[1], [2, 3, 4], [3]]


def test_of_a_transaction_that_failed_each_is_done_alone(
    numbers: Transactions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "orchestrator")
    numbers.broken = {3}
    go_on = hold(numbers, 1)
    asked = numbers.ask(1, 2, 3, 4)
    go_on.set()
    with pytest.raises(ValueError, match="cannot be doubled"):
        asked[2].result(LONG)
    assert [asked[place].result(LONG) for place in (0, 1, 3)] == [2, 4, 8]
    assert sorted(numbers.done) == [[1], [2], [2, 3, 4], [3], [4]]
    assert [one.message for one in caplog.records] == ["commit_split"]


def test_what_fails_alone_says_so_and_holds_up_nobody(numbers: Transactions) -> None:
    numbers.broken = {1}
    go_on = hold(numbers, 1)
    asked = numbers.ask(1, 2)
    go_on.set()
    with pytest.raises(ValueError, match="cannot be doubled"):
        asked[0].result(LONG)
    assert asked[1].result(LONG) == 4


def test_beside_a_transaction_that_is_held_up_another_one_begins(
    numbers: Transactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "LONG", 0.01)
    go_on = hold(numbers, 1)
    (held,) = numbers.ask(1)
    assert numbers.together.do(2, numbers) == 4
    assert not held.done()
    go_on.set()
    assert held.result(LONG) == 2
    assert numbers.together.do(3, numbers) == 6
