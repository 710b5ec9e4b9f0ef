"""A stream that is read ahead of whoever works on it: the next item comes meanwhile, nothing is left over."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator

import pytest

from orchestrator.engine.http_loop import Ahead, HttpLoop
from orchestrator.errors import ContentError, Stopping
from tests.patience import LONG


@pytest.fixture
def http() -> Iterator[HttpLoop]:
    loop = HttpLoop()
    yield loop
    loop.stop()


class Stream:
    """Gives the numbers up to three; may hang or fail before one of them, and says how far it is."""

    def __init__(self, *, hangs_before: int = 0, fails_before: int = 0) -> None:
        self._hangs_before, self._fails_before = hangs_before, fails_before
        self.begun = {number: threading.Event() for number in (1, 2, 3)}
        self.closed = threading.Event()

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            for number, begun in self.begun.items():
                begun.set()
                if number == self._hangs_before:
                    await asyncio.Event().wait()
                if number == self._fails_before:
                    raise ContentError("the content stopped coming")
                yield number
        finally:
            self.closed.set()


def test_the_next_item_is_on_its_way_before_it_is_asked_for(http: HttpLoop) -> None:
    stream = Stream()
    with http.closing(Ahead(stream.items())) as items:
        assert next(items) == 1
        assert stream.begun[2].wait(LONG)
        assert list(items) == [2, 3]
    assert stream.closed.is_set()


def test_no_more_than_one_item_is_on_its_way(http: HttpLoop) -> None:
    stream = Stream()
    with http.closing(Ahead(stream.items())) as items:
        assert next(items) == 1
        assert stream.begun[2].wait(LONG)
        http.run(asyncio.sleep(0))
        assert not stream.begun[3].is_set()


def read_one_and(http: HttpLoop, stream: Stream, then: Callable[[], object]) -> None:
    """Do something else while the second item is on its way, then ask for it."""
    with http.closing(Ahead(stream.items())) as items:
        assert next(items) == 1
        assert stream.begun[2].wait(LONG)
        then()
        next(items)


def fail() -> None:
    raise KeyError


def test_whoever_stops_early_ends_what_is_on_its_way(http: HttpLoop) -> None:
    stream = Stream(hangs_before=2)
    with pytest.raises(KeyError):
        read_one_and(http, stream, fail)
    assert stream.closed.is_set()


def test_an_error_comes_after_what_came_before_it(http: HttpLoop) -> None:
    stream = Stream(fails_before=3)
    with http.closing(Ahead(stream.items())) as items:
        assert [next(items), next(items)] == [1, 2]
        with pytest.raises(ContentError, match="stopped coming"):
            next(items)
    assert stream.closed.is_set()


def test_an_error_that_nobody_asks_for_is_dropped(http: HttpLoop) -> None:
    stream = Stream(fails_before=2)
    with http.closing(Ahead(stream.items())) as items:
        assert next(items) == 1
        assert stream.closed.wait(LONG)


@pytest.mark.parametrize("ended", [HttpLoop.cancel, HttpLoop.stop])
def test_a_loop_that_ends_its_calls_ends_what_is_on_its_way_too(
    http: HttpLoop, ended: Callable[[HttpLoop], None]
) -> None:
    stream = Stream(hangs_before=2)
    with pytest.raises(Stopping):
        read_one_and(http, stream, lambda: ended(http))
    assert stream.closed.is_set()
