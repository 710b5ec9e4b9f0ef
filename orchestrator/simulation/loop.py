"""An event loop in virtual time, and the HTTP loop of a simulated process that runs on it."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, TypeVar, cast

from orchestrator.engine.http_loop import HttpLoop
from orchestrator.simulation.scheduler import Activity, Crash, Owner, Scheduler, running

T = TypeVar("T")

# Which activity a coroutine works for: the coroutine runs while nobody has the turn.
asker: ContextVar[Activity] = ContextVar("asker")


class VirtualLoop:
    """The part of asyncio's loop that tasks, futures, timeouts and semaphores use."""

    def __init__(self, scheduler: Scheduler, owner: Owner) -> None:
        self._itself = cast("asyncio.AbstractEventLoop", self)  # as much of one as is needed
        self._scheduler = scheduler
        self._owner = owner
        self._ready: deque[asyncio.Handle] = deque()
        self._tasks: list[asyncio.Task[Any]] = []

    def time(self) -> float:
        return self._scheduler.now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self._itself, context)
        if not self._ready:
            self._scheduler.at(self._scheduler.now, self._run_ready, self._owner)
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self._itself, context)
        self._scheduler.at(when, lambda: self._run(handle), self._owner)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._scheduler.now + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._itself)

    def create_task(self, coro: Any, **named: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self._itself, **named)
        self._tasks.append(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tasks of dead processes are dropped while they wait; nobody needs to hear of it."""

    def close(self) -> None:
        """Let go of what still waits."""
        for task in self._tasks:
            if not task.done():
                task.get_coro().close()
        self._tasks.clear()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It does nothing when its moment comes."""

    def _run_ready(self) -> None:
        while self._ready:
            self._run(self._ready.popleft())

    def _run(self, handle: asyncio.Handle) -> None:
        if handle.cancelled():
            return
        before = events._get_running_loop()
        events._set_running_loop(self._itself)
        try:
            handle._run()
        finally:
            events._set_running_loop(before)


class VirtualHttp(HttpLoop):
    """The engine's door to coroutines: whoever waits for one gives its turn away."""

    def __init__(self, scheduler: Scheduler, owner: Owner, on_run: Callable[[], None]) -> None:
        self.loop = VirtualLoop(scheduler, owner)
        self._scheduler = scheduler
        self._owner = owner
        self._on_run = on_run

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine in virtual time."""
        try:
            if not self._owner.alive:
                raise Crash
            self._on_run()
        except BaseException:
            coroutine.close()
            raise
        activity = running()
        asker.set(activity)
        task = self.loop.create_task(coroutine)
        task.add_done_callback(
            lambda _: self._scheduler.at(self._scheduler.now, activity.switch, self._owner)
        )
        self._scheduler.park()
        result: T = task.result()
        return result

    def stop(self, *last: Callable[[], Awaitable[object]]) -> None:
        """Let go of what still waits; nothing was opened that these could close."""
        self.loop.close()
