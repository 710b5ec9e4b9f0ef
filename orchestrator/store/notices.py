"""Waking other processes through PostgreSQL, over connections of their own. A lost notice costs no event.

Never in a transaction that writes: at its commit, a notice would hold a lock that all others wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from orchestrator.errors import StoreError
from orchestrator.store.database import CONNECTION_OPTIONS, Store

CHANNEL = "orchestrator_events"
STOPS_WITHIN = 0.5  # seconds in which a listener notices that it is over


class Notifier:
    """Sends notices. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection: psycopg.Connection[Any] | None = None

    def send(self) -> None:
        """One notice to whoever listens. Raises StoreError; the next time it connects anew."""
        with _translated():
            try:
                if self._connection is None:
                    self._connection = _connect(self._store)
                self._connection.execute(f"NOTIFY {CHANNEL}")
            except Exception:
                self.close()
                raise

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def listen(store: Store, heard: Callable[[], object], over: Callable[[], bool]) -> None:
    """Call `heard` once it listens, and after each notice, until it is over. Raises StoreError."""
    with _translated(), _connect(store) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        heard()  # of whatever was missed before
        while not over():
            for _ in connection.notifies(timeout=STOPS_WITHIN, stop_after=1):
                heard()


def _connect(store: Store) -> psycopg.Connection[Any]:
    _, given = store.engine.dialect.create_connect_args(store.engine.url)
    return psycopg.connect(**{**given, **CONNECTION_OPTIONS}, autocommit=True)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        cause = " ".join(str(error).split())
        raise StoreError(f"no notices can be had or sent: {cause}", hint="it is tried again") from error
