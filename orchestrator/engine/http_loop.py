"""The one event loop of a process: everything that speaks HTTP to the gateway runs on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Generic, Self, TypeVar

import uvloop

from orchestrator.errors import Stopping

T = TypeVar("T")


class Ahead(Generic[T]):
    """What comes out of a stream; the next item is on its way while somebody works on the one before."""

    def __init__(self, stream: AsyncGenerator[T, None]) -> None:
        self._stream = stream
        self._coming: asyncio.Task[T | None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        item = await (self._coming or self._ask())
        if item is None:
            raise StopAsyncIteration
        self._ask()
        return item

    def _ask(self) -> asyncio.Task[T | None]:
        self._coming = asyncio.create_task(_next(self._stream))
        return self._coming

    async def aclose(self) -> None:
        """End what is on its way, and the stream."""
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.gather(self._coming, return_exceptions=True)  # what runs cannot be closed
        await self._stream.aclose()


class HttpLoop:
    """An event loop in a daemon thread; threads hand it coroutines and wait for their results.

    Both begin with the first coroutine, so a process may fork before that, and one that asks nobody has none.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._stopped = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine. It must carry its own deadline: this waits for as long as it takes."""
        with self._starting:
            if self._stopped:
                coroutine.close()
                raise Stopping("the event loop is stopped: this process is stopping")
            # Still in turn: once the loop is stopped, nobody would ever run or cancel it.
            running = asyncio.run_coroutine_threadsafe(coroutine, self._begun())
        try:
            return running.result()
        except CancelledError as error:
            raise Stopping("the call was ended: this process is stopping") from error

    def _begun(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = uvloop.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="http", daemon=True)
            self._thread.start()
        return self._loop

    @contextmanager
    def enter(self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Use an asynchronous context manager from this thread."""
        entered = self.run(_enter(manager))
        try:
            yield entered
        except BaseException as error:
            if not self.run(_leave(manager, error)):
                raise
        else:
            self.run(_leave(manager, None))

    def each(self, stream: AsyncIterator[T]) -> Iterator[T]:
        """What comes out of a stream, one crossing of threads each."""
        while (item := self.run(_next(stream))) is not None:
            yield item

    @contextmanager
    def closing(self, stream: AsyncGenerator[T, None] | Ahead[T]) -> Iterator[Iterator[T]]:
        """The same, and the stream is over however this is left."""
        try:
            yield self.each(stream)
        finally:
            self.run(stream.aclose())

    def cancel(self) -> None:
        """End what runs on the loop; whoever waits for it gets Stopping. More may be run."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(_cancel_all(()), self._loop).result(timeout=5)

    def stop(self, *last: Callable[[], Awaitable[object]]) -> None:
        """Cancel what still runs on the loop, then call these, such as what closes its clients, then end it.

        In this order a call that is under way ends in Stopping, not in an error of a client that was closed.
        A loop that never ran calls nothing: nothing was opened on it.
        """
        with self._starting:
            self._stopped = True
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_all(last), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        if not loop.is_running():
            loop.close()


async def _enter(manager: AbstractAsyncContextManager[T]) -> T:
    return await manager.__aenter__()


async def _leave(manager: AbstractAsyncContextManager[Any], error: BaseException | None) -> bool | None:
    if error is None:
        return await manager.__aexit__(None, None, None)
    return await manager.__aexit__(type(error), error, error.__traceback__)


async def _next(stream: AsyncIterator[T]) -> T | None:
    return await anext(stream, None)


async def _cancel_all(last: Iterable[Callable[[], Awaitable[object]]]) -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for call in last:
        await call()
