"""What the processes of a scaled deployment share: one database and one broker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from orchestrator import wiring
from orchestrator.engine.context import Context
from orchestrator.errors import SettingError, StoreError
from orchestrator.processes.broker import broker_url
from orchestrator.processes.ringing import ringing
from orchestrator.settings import Settings
from orchestrator.store.database import sqlite_path
from orchestrator.store.migrate import require_current
from orchestrator.telemetry import Event, log

AGAIN_AFTER = 2.0  # seconds between attempts to reach a database that is away


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
