"""A database in memory that is empty again in a moment, and tells what every transaction changed.

For a simulation, which begins thousands of times a minute: the schema is made once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from orchestrator.store import lanes
from orchestrator.store.database import IN_MEMORY, Store, Transaction
from orchestrator.store.migrate import migrate
from orchestrator.store.schema import metadata

WATCHED = ("workers", "jobs", "observations", "inbox", "hand_offs", "outputs", "attempts", "events")

_EMPTIED = [table for table in reversed(metadata.sorted_tables) if table.name not in ("tenants", "accounts")]

# Migrations add columns at the end, so the order is not that of the schema.
_COLUMNS = {name: tuple(metadata.tables[name].columns.keys()) for name in WATCHED}
_SELECT = {
    name: "SELECT {} FROM {} WHERE rowid = ?".format(", ".join(f'"{column}"' for column in columns), name)  # noqa: S608 - our own names
    for name, columns in _COLUMNS.items()
}


class InMemoryStore(Store):
    """The store on one connection to a SQLite database in memory. One thread, no nested transactions."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(IN_MEMORY, clock=clock)
        self._changed: dict[tuple[str, int], None] = {}
        migrate(self)
        self._raw = cast("sqlite3.Connection", self.engine.raw_connection().driver_connection)
        self._raw.create_function("changed", 2, self._note)
        for table in WATCHED:
            for verb in ("INSERT", "UPDATE"):
                self._raw.execute(
                    f"CREATE TRIGGER watch_{table}_{verb} AFTER {verb} ON {table}"
                    f" BEGIN SELECT changed('{table}', new.rowid); END"
                )

    def start_afresh(self) -> None:
        """Forget every row, but those that the migrations made.

        Row by row: SQLite 3.40 crashes now and then where json_each was used before a `deserialize`.
        """
        with InMemoryStore.write(self) as tx:
            for table in _EMPTIED:
                tx.execute(table.delete())
            lanes.forget(tx)
        self._changed.clear()

    @contextmanager
    def write(self, *, durable: bool = True, yields: bool = False) -> Iterator[Transaction]:
        """As the store's; what was changed is known afterwards."""
        self._changed.clear()
        with super().write(durable=durable, yields=yields) as tx:
            yield tx

    def changed(self) -> list[tuple[str, int, dict[str, Any]]]:
        """The rows that the last transaction inserted or updated, as they are now."""
        found = []
        for table, rowid in self._changed:
            row = self._raw.execute(_SELECT[table], (rowid,)).fetchone()
            if row is not None:  # else a part of the transaction was undone
                found.append((table, rowid, dict(zip(_COLUMNS[table], row, strict=True))))
        self._changed.clear()
        return found

    def beaten(self, worker: str, at: float) -> None:
        """Write down a heartbeat without a transaction of its own."""
        self._raw.execute("UPDATE workers SET beaten_at = ? WHERE id = ?", (at, worker))

    def _note(self, table: str, rowid: int) -> None:
        self._changed[table, rowid] = None
