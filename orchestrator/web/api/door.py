"""What every route works with, and where its blocking work is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from orchestrator.engine.access import Guard
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.errors import StoreError
from orchestrator.web.api.limits import Limits
from orchestrator.web.api.submitting import Answer, Asked, submissions
from orchestrator.web.group_commit import GroupCommit
from orchestrator.web.hub import Hub

Send = Callable[[Iterable[FollowUp]], None]
T = TypeVar("T")

THREADS = 40  # no more of these hang with the database; who finds none free gets an answer in time too
WITHIN = 15.0  # seconds that whoever asks waits for the database


@dataclass(slots=True)
class Door:
    """The tools of the API in one process. `clock` is the wall clock, `send` takes what follows a commit.

    `beat_expected` says whether messages of beat should arrive.
    """

    context: Context
    send: Send
    guard: Guard
    hub: Hub
    clock: Callable[[], float]
    beat_expected: bool = False
    limits: Limits = field(init=False)
    _submissions: GroupCommit[Asked, Answer] = field(init=False)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "api"))

    def __post_init__(self) -> None:
        self.limits = Limits(self.context.settings, self.context.clock, self.clock)
        self._submissions = submissions(self.context, self._follow, self._threads)

    async def run(self, act: Callable[[], T]) -> T:
        """Do blocking work in a thread. Raises StoreError where it takes too long, and whatever it raises."""
        # With its context, so that what is logged there has the id of the request.
        within = partial(copy_context().run, act)
        return await _in_time(asyncio.get_running_loop().run_in_executor(self._threads, within))

    async def submit(self, one: Asked) -> Answer:
        """Keep what is submitted, with what others submit in this moment. Raises as `run` does."""
        return await _in_time(self._submissions.do(one))

    async def change(self, act: Callable[[], tuple[T, list[FollowUp]]]) -> T:
        """As `run`, for what changes something: what is to happen next is sent after its commit."""

        def and_send() -> T:
            result, follow_ups = act()
            self._follow(follow_ups)
            return result

        return await self.run(and_send)

    def _follow(self, follow_ups: Iterable[FollowUp]) -> None:
        self.send(follow_ups)

    def close(self) -> None:
        """Threads that hang with the database are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _in_time(work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(WITHIN):
            return await work
    except TimeoutError as error:
        raise StoreError(f"the database did not answer within {WITHIN:.0f} s") from error


async def _door(request: Request) -> Door:  # no plain function: each request would wait for a thread
    door: Door = request.app.state.door
    return door


DoorDep = Annotated[Door, Depends(_door)]
