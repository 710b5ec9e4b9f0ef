"""Brings a database to the version this program was written for, and refuses a newer one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from orchestrator.errors import NEVER, StoreError
from orchestrator.store.database import Store

HEAD = "0001"  # the newest revision; a house rule compares it with the files


@dataclass(frozen=True, slots=True)
class Version:
    """The revision a database is at (None: empty) and the one this program wants."""

    found: str | None
    wanted: str

    @property
    def current(self) -> bool:
        """Whether nothing needs to be done."""
        return self.found == self.wanted


def version(store: Store) -> Version:
    """Where the database stands. Raises StoreError when a newer program wrote it, or none of this kind."""
    with _alembic_s_errors_as_ours(), store.read() as tx:
        found = MigrationContext.configure(tx.connection).get_current_revision()
    if found not in (None, HEAD) and found not in _revisions():
        raise StoreError(
            f"the database was written by a newer version of this program (revision {found})",
            hint="install that version again, or point the database URL at another database; "
            "nothing was changed",
        )
    return Version(found, HEAD)


def migrate(store: Store) -> Version:
    """Upgrade to the newest revision, in one transaction. Returns where the database stood before."""
    before = version(store)
    if not before.current:
        config = _config()
        with _alembic_s_errors_as_ours(), store.write() as tx:
            config.attributes["connection"] = tx.connection
            command.upgrade(config, "head")
    return before


def require_current(store: Store) -> None:
    """Raise StoreError unless the database is at the revision this program was written for."""
    at = version(store)
    if not at.current:
        raise StoreError(
            f"the database is at revision {at.found or 'none'}, this program needs {at.wanted}",
            hint="run `orchestrator migrate`",
        )


@contextmanager
def _alembic_s_errors_as_ours() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise StoreError(
            f"the database's revision cannot be told: {error}",
            hint="it is damaged or not a database of this program: restore it from a copy, or point the "
            "database URL at another database; nothing was changed",
            retry=NEVER,
        ) from error


def _revisions() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
