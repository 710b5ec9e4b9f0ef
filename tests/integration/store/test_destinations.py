"""A destination that fails is counted by all workers together, and after a pause one of them tries."""

from collections.abc import Iterator

import pytest

from orchestrator.core.breaker import FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE
from orchestrator.store import destinations
from orchestrator.store.database import Store, Transaction
from orchestrator.store.destinations import Failing
from tests.integration.store.rows import START, Clock
from tests.integration.store.together import Elsewhere, ended


@pytest.fixture
def elsewhere(store: Store) -> Iterator[Elsewhere]:
    there = Elsewhere(store)
    yield there
    there.close()


def fail(store: Store, times: int = FAILURES_TO_OPEN, key: str = "k") -> list[bool]:
    """Let it fail so often; for each whether that shut it."""
    found = []
    for _ in range(times):
        with store.write() as tx:
            found.append(destinations.failed(tx, "bucket", key, "no answer"))
    return found


def shut(tx: Transaction) -> Failing:
    found = destinations.failing(tx).get("bucket")
    assert found is not None
    return found


def left_out(store: Store) -> set[str]:
    with store.read() as tx:
        return destinations.left_out(tx)


def try_it(store: Store, key: str) -> bool:
    with store.write() as tx:
        return destinations.try_if_still_shut(tx, shut(tx), key)


def test_the_fifth_failure_in_a_row_shuts_it_for_a_while(store: Store, clock: Clock) -> None:
    assert fail(store) == [False] * (FAILURES_TO_OPEN - 1) + [True]
    assert left_out(store) == {"bucket"}
    clock.now += FIRST_PAUSE
    assert left_out(store) == set()
    with store.read() as tx:
        assert destinations.failing(tx) == {
            "bucket": Failing("bucket", 5, FIRST_PAUSE, START + FIRST_PAUSE, None, "no answer")
        }


def test_what_arrives_makes_failures_forgotten_and_says_whether_it_was_shut(store: Store) -> None:
    for failures, was_shut in ((0, False), (FAILURES_TO_OPEN - 1, False), (FAILURES_TO_OPEN, True)):
        fail(store, failures)
        with store.write() as tx:
            assert destinations.worked(tx, "bucket") is was_shut
            assert destinations.failing(tx) == {}


def test_the_failure_of_a_try_doubles_the_pause_and_any_other_changes_nothing(
    store: Store, clock: Clock
) -> None:
    fail(store)
    pauses = []
    for number in range(6):
        with store.read() as tx:
            pauses.append(shut(tx).pause)
            clock.now = shut(tx).shut_until or 0.0
        assert try_it(store, f"try-{number}")
        fail(store, 3, key="was under way")
        fail(store, 1, key=f"try-{number}")
    assert pauses == [FIRST_PAUSE, 30, 60, 120, 240, LONGEST_PAUSE]


def test_a_try_that_nobody_hears_of_is_followed_by_another_after_the_same_pause(
    store: Store, clock: Clock
) -> None:
    fail(store)
    clock.now += FIRST_PAUSE
    assert try_it(store, "lost")
    assert left_out(store) == {"bucket"}
    clock.now += FIRST_PAUSE
    assert left_out(store) == set()
    assert try_it(store, "next")
    assert fail(store, 1, key="lost") == [False]
    with store.read() as tx:
        assert (shut(tx).pause, shut(tx).trying) == (FIRST_PAUSE, "next")


def test_one_that_was_shut_since_it_was_asked_for_is_not_tried_until_its_pause_is_over(
    store: Store, clock: Clock
) -> None:
    assert left_out(store) == set()
    fail(store)
    assert not try_it(store, "claimed meanwhile")
    clock.now += FIRST_PAUSE
    assert try_it(store, "claimed later")


def test_one_that_nobody_tried_for_long_is_forgotten(store: Store) -> None:
    fail(store)
    with store.write() as tx:
        assert destinations.forget(tx, before=START + FIRST_PAUSE) == 0
        assert destinations.forget(tx, before=START + FIRST_PAUSE + 1) == 1


@pytest.mark.parametrize("kind", ["postgresql"])
def test_of_two_that_would_try_at_once_one_does(store: Store, clock: Clock, elsewhere: Elsewhere) -> None:
    fail(store)
    clock.now += FIRST_PAUSE
    with store.write() as tx:
        both_read = shut(tx)
        assert destinations.try_if_still_shut(tx, both_read, "first")
        second = elsewhere.begin_and_wait_for_us(lambda: _try_as_read(store, both_read))
    assert ended(second) is False


def _try_as_read(store: Store, read: Failing) -> bool:
    with store.write() as tx:
        return destinations.try_if_still_shut(tx, read, "second")


@pytest.mark.parametrize("kind", ["postgresql"])
def test_failures_that_are_counted_at_once_are_all_counted(store: Store, elsewhere: Elsewhere) -> None:
    counting = [elsewhere.begin(lambda: fail(store, 5)) for _ in range(4)]
    assert [shut for one in counting for shut in ended(one)].count(True) == 1, "one of them shut it"
    with store.read() as tx:
        assert shut(tx).failures == 20


def test_one_that_asked_to_be_left_alone_for_longer_is_shut_for_as_long(store: Store, clock: Clock) -> None:
    fail(store, FAILURES_TO_OPEN - 1)
    with store.write() as tx:
        assert destinations.failed(tx, "bucket", "k", "too much to do", after=3_600)
    clock.now += 3_599
    assert left_out(store) == {"bucket"}
    clock.now += 1
    assert try_it(store, "k")
    with store.write() as tx:
        assert not destinations.failed(tx, "bucket", "k", "still too much", after=3_600)
    clock.now += 2 * FIRST_PAUSE
    assert left_out(store) == {"bucket"}
    clock.now += 3_600 - 2 * FIRST_PAUSE
    assert left_out(store) == set()
