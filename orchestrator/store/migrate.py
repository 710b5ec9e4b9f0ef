"""Brings a database to the version this program was written for, and refuses a newer one.

Alembic is loaded by whoever upgrades and nobody else: it is two fifths of what a process loads at its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import column, func, inspect, select, table, text
from sqlalchemy.exc import OperationalError

from orchestrator.errors import NEVER, StoreError
from orchestrator.store import events
from orchestrator.store.database import Store, Transaction

HEAD = "0012"  # the newest revision; a house rule compares it with the files
MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATING = 0x6F72_6368  # any number that nobody else takes for an advisory lock
# As most transactions come to them: a claim begins with the tenants, what was learned with its job.
_IN_TURN = (
    "tenants",
    "lanes",
    "accounts",
    "api_keys",
    "sessions",
    "tokens",
    "idempotency",
    "jobs",
    "lessons",
    "estimates",
    "ledger",
    "inbox",
    "observations",
    "faults",
    "events",
    "outputs",
    "archived",
    "hand_offs",
    "attempts",
    "workers",
    "destinations",
    "configured_destinations",
    "pulses",
    "rejections",
    "drift",
    "searches",
)
_WAITS_FOR = 0.5  # seconds; after one, PostgreSQL finds that two wait for each other and ends either
_TAKES_TOO_LONG = "55P03"
_KEPT_IN = table("alembic_version", column("version_num"))


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
    with store.read() as tx:
        return Version(_revision(tx), HEAD)


def require_current(store: Store) -> None:
    """Raise StoreError unless the database is at the revision this program was written for."""
    at = version(store)
    if not at.current:
        raise StoreError(
            f"the database is at revision {at.found or 'none'}, this program needs {at.wanted}",
            hint="run `orchestrator migrate`",
            retry=NEVER,
        )


def migrate(store: Store) -> Version:
    """Upgrade to the newest revision, in one transaction. Returns where the database stood before.

    Raises StoreError as `version` does.
    """
    before = version(store)
    with store.write() as tx:
        _one_at_a_time(tx)
        # Again: another release may have migrated while this one waited for its turn.
        found = _revision(tx)
        if found != HEAD:
            _take_all_tables(tx)
            upgrade(tx, HEAD)
        events.take_over(tx)  # also of a current one: it may have been restored from another server's
    return before if before.current else Version(found, HEAD)


def upgrade(tx: Transaction, to: str) -> None:
    """Bring the tables to this revision."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = tx.connection
    command.upgrade(config, to)


def revisions() -> set[str]:
    """The newest revision, and all that can be upgraded to it."""
    return {file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py")}


def _revision(tx: Transaction) -> str | None:
    if not inspect(tx.connection).has_table(_KEPT_IN.name):
        return None
    found = sorted(row.version_num for row in tx.execute(select(_KEPT_IN)))
    if len(found) > 1:
        raise StoreError(
            f"the database's revision is unclear: it claims to be at {' and '.join(found)}",
            hint="it is damaged or not a database of this program: restore it from a copy, or point the "
            "database URL at another database; nothing was changed",
            retry=NEVER,
        )
    if found and found[0] not in revisions():
        raise StoreError(
            f"the database was written by a newer version of this program (revision {found[0]})",
            hint="install that version again, or point the database URL at another database; "
            "nothing was changed",
            retry=NEVER,
        )
    return found[0] if found else None


def _one_at_a_time(tx: Transaction) -> None:
    """Wait until no other transaction migrates; on SQLite the one writer is alone anyway."""
    if tx.dialect == "postgresql":
        tx.execute(text("SET LOCAL lock_timeout TO 0"))  # a migration of a large database takes its time
        tx.execute(text("SET LOCAL statement_timeout TO 0"))
        tx.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))


def _take_all_tables(tx: Transaction) -> None:
    """Wait until nobody uses a table any more, and let nobody in until the end. SQLite has one writer anyway.

    Processes of the release before are running. All tables are taken before the first one is changed, so
    that we wait for nobody who waits for us. No order suits everybody: a claim reads tenants before jobs, the
    foreign keys of a hand-off the other way round. So whoever has a table that we wait for, and wants one
    that we have, gets it: we let go of all of them and begin again.
    """
    there = set(inspect(tx.connection).get_table_names())
    names = ", ".join(name for name in _IN_TURN if name in there)
    if not names or tx.dialect != "postgresql":
        return
    tx.execute(text(f"SET LOCAL lock_timeout TO {_WAITS_FOR * 1000:.0f}"))
    while not _taken(tx, names):
        pass
    tx.execute(text("SET LOCAL lock_timeout TO 0"))


def _taken(tx: Transaction, names: str) -> bool:
    try:
        with tx.connection.begin_nested():
            tx.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _TAKES_TOO_LONG:
            return False
        raise
    return True
