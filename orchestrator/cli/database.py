"""How commands reach the database: with or without an `orchestrator up` that runs on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from orchestrator import wiring
from orchestrator.errors import StoreError
from orchestrator.settings import Settings
from orchestrator.store.database import Store, missing_file
from orchestrator.store.migrate import migrate, require_current, version

if TYPE_CHECKING:
    from orchestrator.engine.context import Context


@contextmanager
def opened(settings: Settings, *, create: bool = False) -> Iterator[Context]:
    """The use-cases on the database of these settings, without the gateway. Raises as `opened_store` does."""
    with opened_store(settings, create=create) as store, built(settings, store) as context:
        yield context


@contextmanager
def opened_store(settings: Settings, *, create: bool = False) -> Iterator[Store]:
    """The database of these settings, for those who only read, or build the use-cases later.

    `create` makes the database if there is none. Else, and for one of another version, raises StoreError.
    """
    if not create and (path := missing_file(settings.resolved_database_url)):
        raise StoreError(
            f"there is no database at {path}",
            hint="submit a job, start `orchestrator up`, or name its folder in ORCHESTRATOR_DATA_DIR",
        )
    with closing(wiring.open_store(settings)) as store:
        if create and version(store).found is None:
            migrate(store)
        require_current(store)
        yield store


@contextmanager
def built(settings: Settings, store: Store) -> Iterator[Context]:
    """The use-cases on a database that is open."""
    with closing(wiring.build(settings, store, asks_gateway=False)) as context:
        yield context
