"""Whose turn it is to write, where a database has one writer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

YIELDS_FOR = 2.0  # seconds; then it queues as the others do


class OneWriter:
    """Threads queue here instead of polling the database; those that yield go once nobody else waits."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._free = threading.Condition(lock)  # told of the end of a turn
        self._nobody_waits = threading.Condition(lock)
        self._writes = False
        self.queue = 0  # threads that wait for the end of a turn …
        self.yielding = 0  # … and those that wait for all these as well

    @contextmanager
    def turn(self, *, yields: bool) -> Iterator[None]:
        """Wait for one's turn, and have it until this is left."""
        with self._free:
            if yields:
                self._yield()
            self.queue += 1
            try:
                self._free.wait_for(lambda: not self._writes)
            finally:
                self.queue -= 1
            self._writes = True
        try:
            yield
        finally:
            with self._free:
                self._writes = False
                (self._free if self.queue else self._nobody_waits).notify()

    def _yield(self) -> None:
        self.yielding += 1
        try:
            self._nobody_waits.wait_for(lambda: not self._writes and not self.queue, YIELDS_FOR)
        finally:
            self.yielding -= 1
