"""Requests of the same moment share a transaction; each is answered once that is committed."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

from orchestrator.engine.follow_up import FollowUp
from orchestrator.telemetry import Event, log

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

MOST = 64  # requests of one transaction
TOGETHER_AGAIN = 0.002  # seconds; those who were answered together may ask again together, and share the next
LONG = 0.1  # seconds after which a transaction counts as held up, and another may begin beside it


class GroupCommit(Generic[Asked, Answer]):
    """Gathers requests while a transaction is under way; the next one then does all that have come.

    So what comes alone is done at once. `together` does one or several in one transaction;
    its answer is None for one that cannot share it, of which it did nothing: that is done by `alone`, in its
    own, and may wait there for whatever it likes: nobody waits for it. With `again`, so is all of a shared
    transaction that failed, since it may be done twice: what is wrong with one fails that one only. Without,
    each of them is told of the failure: it may have come after the commit.

    To be used on one event loop.
    """

    def __init__(
        self,
        together: Callable[[Sequence[Asked]], Sequence[Answer | None]],
        alone: Callable[[Asked], Answer],
        threads: Executor,
        *,
        again: bool,
    ) -> None:
        self._again = again
        self._together, self._alone, self._threads = together, alone, threads
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._turn: object = None  # whose it is to gather, None: the next one's who comes
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop holds none that it runs

    async def do(self, one: Asked) -> Answer:
        """Its answer, once it is committed. Raises whatever doing it raises."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, answered))
        self._begin()
        return await answered

    def _begin(self) -> None:
        while self._waiting and self._turn is None:
            next_ones = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            # Whoever does not wait any more has had another answer.
            if some := [(one, answered) for one, answered in next_ones if not answered.done()]:
                self._turn = object()
                self._start(self._commit(some, self._turn))

    async def _commit(self, some: list[tuple[Asked, asyncio.Future[Answer]]], turn: object) -> None:
        loop = asyncio.get_running_loop()
        held_up = loop.call_later(LONG, self._end, turn)
        try:
            await self._do_together(some)
        finally:
            held_up.cancel()
            loop.call_later(TOGETHER_AGAIN if len(some) > 1 else 0, self._end, turn)

    def _end(self, turn: object) -> None:
        if self._turn is turn:
            self._turn = None
            self._begin()

    async def _do_together(self, some: list[tuple[Asked, asyncio.Future[Answer]]]) -> None:
        answers: Sequence[Answer | None] = [None] * len(some)
        try:
            answers = await self._run(self._together, [one for one, _ in some])
        except Exception as error:  # noqa: BLE001 - whatever it is, each meets it alone, or does not
            if len(some) > 1:
                kind = type(error).__name__  # its words are told by those that meet it
                log(Event.COMMIT_SPLIT, level=logging.WARNING, error=kind, requests=len(some))
            if len(some) == 1 or not self._again:
                _fail(some, error)
                return
        for (one, answered), answer in zip(some, answers, strict=True):
            if answered.done():  # whoever does not wait any more has had another answer
                continue
            if answer is None:
                self._start(self._do_alone(one, answered))
            else:
                answered.set_result(answer)

    async def _do_alone(self, one: Asked, answered: asyncio.Future[Answer]) -> None:
        try:
            answer = await self._run(self._alone, one)
        except Exception as error:  # noqa: BLE001 - for whoever asked
            _fail([(one, answered)], error)
        else:
            if not answered.done():
                answered.set_result(answer)

    async def _run(self, act: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, act, *given)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _fail(some: Sequence[tuple[Asked, asyncio.Future[Answer]]], error: Exception) -> None:
    for _, answered in some:
        if not answered.done():
            answered.set_exception(error)


class Afterwards:
    """Sends what follows from requests that were answered: by one thread, what came meanwhile at once.

    So a broker that hangs holds up that thread alone.
    """

    def __init__(self, send: Callable[[Sequence[FollowUp]], None], threads: Executor) -> None:
        self._send, self._threads = send, threads
        self._owed: list[FollowUp] = []
        self._sending = False

    async def __call__(self, follow_ups: Iterable[FollowUp]) -> None:
        """Have them sent, be it by whoever is sending now."""
        self._owed += follow_ups
        if self._sending:
            return
        self._sending = True
        try:
            while self._owed:
                owed, self._owed = self._owed, []
                await asyncio.get_running_loop().run_in_executor(self._threads, self._send, owed)
        finally:
            self._sending = False
