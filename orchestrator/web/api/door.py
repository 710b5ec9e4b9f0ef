"""What every route works with, and where its blocking work is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
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
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "api"))

    def __post_init__(self) -> None:
        self.limits = Limits(self.context.settings, self.context.clock, self.clock)

    async def run(self, act: Callable[[], T]) -> T:
        """Do blocking work in a thread. Raises StoreError where it takes too long, and whatever it raises."""
        try:
            async with asyncio.timeout(WITHIN):
                # With its context, so that what is logged there has the id of the request.
                within = partial(copy_context().run, act)
                return await asyncio.get_running_loop().run_in_executor(self._threads, within)
        except TimeoutError as error:
            raise StoreError(f"the database did not answer within {WITHIN:.0f} s") from error

    async def change(self, act: Callable[[], tuple[T, list[FollowUp]]]) -> T:
        """As `run`, for what changes something: what is to happen next is sent after its commit."""

        def and_send() -> T:
            result, follow_ups = act()
            self.send(follow_ups)
            return result

        return await self.run(and_send)

    def close(self) -> None:
        """Threads that hang with the database are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _door(request: Request) -> Door:  # no plain function: each request would wait for a thread
    door: Door = request.app.state.door
    return door


DoorDep = Annotated[Door, Depends(_door)]
