"""How commands reach the database: with or without an `orchestrator up` that runs on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from orchestrator import wiring
from orchestrator.engine.context import Context
from orchestrator.errors import StoreError
from orchestrator.settings import Settings
from orchestrator.store.database import sqlite_path
from orchestrator.store.migrate import migrate, require_current, version


@contextmanager
def opened(settings: Settings, *, create: bool = False) -> Iterator[Context]:
    """The use-cases on the database of these settings, without the gateway.

    `create` makes the database if there is none. Else, and for one of another version, raises StoreError.
    """
    path = sqlite_path(settings.resolved_database_url)
    if not create and path is not None and not path.exists():
        raise StoreError(
            f"there is no database at {path}",
            hint="submit a job, start `orchestrator up`, or name its folder in ORCHESTRATOR_DATA_DIR",
        )
    with ExitStack() as stack:
        store = wiring.open_store(settings)
        stack.callback(store.close)
        if create and version(store).found is None:
            migrate(store)
        require_current(store)
        context = wiring.build(settings, store, asks_gateway=False)
        stack.callback(context.close)
        yield context
