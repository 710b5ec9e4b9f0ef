"""What the processes of a scaled deployment share: one database, one broker, told to stop by a signal."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from orchestrator import wiring
from orchestrator.engine.context import Context
from orchestrator.errors import SettingError, StoreError
from orchestrator.processes.ringing import ringing
from orchestrator.settings import Settings
from orchestrator.store.database import sqlite_path
from orchestrator.store.migrate import require_current
from orchestrator.telemetry import Event, log

AWAKE_EVERY = 1.0  # seconds
AGAIN_AFTER = 2.0  # seconds between attempts to reach a database that is away


def stop_signal() -> threading.Event:
    """Set by SIGTERM or SIGINT from now on.

    A second SIGINT ends the process at once; a second SIGTERM, which supervisors may send, changes nothing.
    """
    stopping = threading.Event()

    def asked(number: int, _: object) -> None:
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    return stopping


def wait_until_told(stopping: threading.Event) -> None:
    """Return once told to stop.

    Awake now and then: Python acts on a signal only when its main thread runs, and one that another thread
    was given, or that came just before the wait began, does not wake it.
    """
    while not stopping.wait(AWAKE_EVERY):
        pass


def broker_url(settings: Settings) -> str:
    """The broker. Raises SettingError where none is set."""
    given = settings.broker_url.get_secret_value()
    if not given:
        raise SettingError(
            "there is no broker: several processes need one",
            hint="set ORCHESTRATOR_BROKER_URL to redis://host:6379/0; `orchestrator up` needs none",
        )
    return given


@contextmanager
def connected(settings: Settings, *, asks_gateway: bool) -> Iterator[Context]:
    """The tools of one process of several. Raises SettingError where the settings name no shared database."""
    broker_url(settings)
    if sqlite_path(settings.resolved_database_url) is not None:
        raise SettingError(
            "several processes need a database that all of them reach",
            hint="set ORCHESTRATOR_DATABASE_URL to postgresql://user:password@host/name; "
            "`orchestrator up` needs none",
        )
    with closing(wiring.open_store(settings)) as store:
        context = wiring.build(settings, store, asks_gateway=asks_gateway)
        try:
            with ringing(store):
                yield context
        finally:
            context.close()


def database_is_current(context: Context) -> bool:
    """Whether the database is at this program's revision; False while it cannot be reached.

    Raises StoreError when it must be migrated first.
    """
    try:
        require_current(context.store)
    except StoreError as error:
        if not error.retry.again:
            raise
        log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
        return False
    return True


def wait_for_database(context: Context, stopping: threading.Event) -> bool:
    """Wait until the database can be used; False when told to stop before. Raises as above."""
    while not database_is_current(context):
        if stopping.wait(AGAIN_AFTER):
            return False
    return True
