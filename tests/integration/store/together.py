"""Two connections at once: what one does while the other holds something, told by the server, not by time."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from sqlalchemy import text

from orchestrator import fault_points
from orchestrator.fault_points import FaultPoint
from orchestrator.store.database import Store, Transaction
from tests.acceptance.waiting import until

Result = TypeVar("Result")
LONG = 20.0  # seconds; longer than the database lets anybody wait for a lock

_WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class _Undone(Exception):
    """Rolls a transaction back."""


@contextmanager
def undone(store: Store) -> Iterator[Transaction]:
    """A transaction that is rolled back in the end."""
    with suppress(_Undone), store.write() as tx:
        yield tx
        raise _Undone


class Elsewhere:
    """Does things in threads of their own, each with a connection of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(4)

    def begin(self, act: Callable[[], Result]) -> "Future[Result]":
        """Do it without waiting for it."""
        return self._threads.submit(act)

    def begin_and_wait_for_us(self, act: Callable[[], Result]) -> "Future[Result]":
        """Do it, until it waits for a lock that is held here."""
        before = self._waiting()
        future = self._threads.submit(act)

        def waits() -> bool:
            assert not future.done(), f"it waited for nobody: {future.exception() or future.result()}"
            return self._waiting() > before

        until("the other connection waits", waits, LONG, every=0.005)
        return future

    def _waiting(self) -> int:
        with self._store.read() as tx:
            return int(tx.execute(text(_WAITING)).scalar_one())

    def close(self) -> None:
        self._threads.shutdown()


class Held:
    """Whoever first reaches a fault point is held there until it is let go."""

    def __init__(self, point: FaultPoint) -> None:
        self._reached, self._let_go = threading.Event(), threading.Event()
        fault_points.arm(point, self._hold)

    def _hold(self, _point: FaultPoint) -> None:
        self._reached.set()
        assert self._let_go.wait(LONG), "nobody let it go"

    def until_reached(self) -> None:
        assert self._reached.wait(LONG), "nobody came there"

    def let_go(self) -> None:
        self._let_go.set()


def ended(future: "Future[Result]") -> Result:
    """What came of it."""
    return future.result(LONG)
