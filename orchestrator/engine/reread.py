"""Rows that are kept in memory and read again once they are a little old."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from orchestrator.errors import StoreError
from orchestrator.store.database import Store, Transaction
from orchestrator.telemetry import Event, log

READ_AFTER = 1.5  # seconds; with the reading itself a change is noticed within two

Rows = TypeVar("Rows")


class Reread(Generic[Rows]):
    """Gives what `read` finds to `take_over`, when asked and when it is time. Threads share it.

    `turn` is held meanwhile, by one thread.
    """

    def __init__(
        self,
        store: Store,
        read: Callable[[Transaction], Rows],
        take_over: Callable[[Rows], None],
        clock: Callable[[], float],
    ) -> None:
        self.turn = threading.Lock()
        self._store = store
        self._read = read
        self._take_over = take_over
        self._clock = clock
        self._read_at: float | None = None

    def renew(self, after: float = READ_AFTER) -> None:
        """Read again what was read so many seconds ago. Raises StoreError while nothing was ever read."""
        # Whoever comes meanwhile has what was read before: it may hold a connection that the reader needs.
        if self._is_due(after) and self.turn.acquire(blocking=self._read_at is None):
            try:
                if self._is_due(after):
                    self._renew()
            finally:
                self.turn.release()

    def _is_due(self, after: float) -> bool:
        return self._read_at is None or self._clock() - self._read_at >= after

    def _renew(self) -> None:
        try:
            with self._store.read() as tx:
                rows = self._read(tx)
        except StoreError as error:
            if self._read_at is None:
                raise
            # Whatever they are needed for needs the database too, and then says so.
            log(Event.STORE_FAILED, level=logging.WARNING, error=error.message, hint=error.hint)
        else:
            self._take_over(rows)
        self._read_at = self._clock()
