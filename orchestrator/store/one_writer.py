"""Whose turn it is to write, where a database has one writer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

YIELDS_FOR = 2.0  # seconds; then it queues as the others do


class OneWriter:
    """Threads queue here instead of polling the database; those that yield go once nobody else waits.

    A turn goes over to whoever waited longest: taken by whoever comes first, it would be the same busy
    thread's again and again. Each waits at a lock of its own, which is released for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writes = False
        self.queue: deque[threading.Lock] = deque()
        self._yielding: deque[threading.Lock] = deque()

    @contextmanager
    def turn(self, *, yields: bool) -> Iterator[None]:
        """Wait for one's turn, and have it until this is left."""
        mine = threading.Lock()
        mine.acquire()
        with self._lock:
            waits, self._writes = self._writes, True
            if waits:
                (self._yielding if yields else self.queue).append(mine)
        try:
            if waits:
                self._wait(mine, yields=yields)
        except BaseException:  # stopped while it waited: whose turn it would be goes on
            self._leave(mine)
            raise
        try:
            yield
        finally:
            self._end()

    def _wait(self, mine: threading.Lock, *, yields: bool) -> None:
        if yields and not mine.acquire(timeout=YIELDS_FOR):
            with self._lock:
                if mine in self._yielding:  # else its turn came at this moment
                    self._yielding.remove(mine)
                    self.queue.append(mine)
            mine.acquire()
        elif not yields:
            mine.acquire()

    def _leave(self, mine: threading.Lock) -> None:
        with self._lock:
            for line in (self.queue, self._yielding):
                if mine in line:
                    line.remove(mine)
                    return
        self._end()

    def _end(self) -> None:
        with self._lock:
            line = self.queue or self._yielding
            if line:
                line.popleft().release()
            else:
                self._writes = False
