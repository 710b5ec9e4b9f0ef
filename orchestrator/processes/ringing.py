"""Waking those who follow events, in this process and in others, after whatever was committed.

Only a hint: rows are the truth, and whoever follows looks every second by itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.errors import StoreError
from orchestrator.store.database import Store
from orchestrator.store.notices import Notifier, listen
from orchestrator.telemetry import Event, log

PAUSE = 0.01  # seconds after a notice in which all further commits share the next one
AGAIN_AFTER = 1.0  # seconds after a failure
STOP_WITHIN = 2.0


class Ringer:
    """Sends one notice for many commits, in a thread of its own: whoever commits waits for nothing."""

    def __init__(self, store: Store) -> None:
        self._notifier = Notifier(store)
        self._rung = threading.Event()
        self._over = threading.Event()
        self._away = False

    def ring(self) -> None:
        """Something was committed. Returns at once."""
        self._rung.set()

    def stop(self) -> None:
        """Send no more."""
        self._over.set()
        self._rung.set()

    def run(self) -> None:
        """Until it is stopped."""
        while self._rung.wait() and not self._over.is_set():
            self._rung.clear()
            self._over.wait(PAUSE if self._sent() else AGAIN_AFTER)
        self._notifier.close()

    def _sent(self) -> bool:
        try:
            self._notifier.send()
        except StoreError as error:
            _complain(error, again=self._away)
            self._away = True
            self._rung.set()  # for whoever listens once it is back
            return False
        self._away = False
        return True


@contextmanager
def ringing(store: Store) -> Iterator[None]:
    """Let commits of this store wake those who follow events in any process."""
    ringer = Ringer(store)
    with _beside("ringer", ringer.run, ringer.stop):
        store.ring = ringer.ring
        try:
            yield
        finally:
            store.ring = lambda: None


@contextmanager
def hearing(store: Store, wake: Callable[[], object]) -> Iterator[None]:
    """Wake those who follow events in this process, whoever commits."""
    over = threading.Event()
    with _beside("listener", lambda: _hear(store, wake, over), over.set):
        yield


def _hear(store: Store, wake: Callable[[], object], over: threading.Event) -> None:
    away = False

    def heard() -> None:
        nonlocal away
        away = False
        wake()

    while not over.is_set():
        try:
            listen(store, heard, over.is_set)
        except StoreError as error:
            _complain(error, again=away)
            away = True
            over.wait(AGAIN_AFTER)


def _complain(error: StoreError, *, again: bool) -> None:
    if not again:
        log(Event.STORE_FAILED, level=logging.WARNING, error=error.message, hint=error.hint)


@contextmanager
def _beside(name: str, run: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(STOP_WITHIN)  # one that hangs with the database is not waited for
