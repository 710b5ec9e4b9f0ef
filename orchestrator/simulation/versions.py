"""Reads that are overtaken: a job was read, and another transaction has changed it before ours acts on it.

PostgreSQL keeps only those rows as they were read that are held (FOR UPDATE). Here transactions are whole,
so the other order is staged: the other one came first, and the read shows what was there before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.store.database import BUSY_FOR, Transaction


@dataclass(slots=True)
class Versions:
    """The last version of each job and the one before it. `happens` says whether a read is overtaken."""

    now: Callable[[], float]
    happens: Callable[[], bool]
    _read: dict[str, Any] = field(default_factory=dict)
    _last: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    _before: dict[str, tuple[Any, float]] = field(default_factory=dict)

    def saw(self, row: Any) -> None:
        """Somebody read a job as it is."""
        self._read[row.id] = row

    def committed(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Jobs were written."""
        for row in rows:
            job_id, version = row["id"], (row["state"], row["next_seq"])
            was, last = self._read.get(job_id), self._last.get(job_id)
            if version != last and was is not None and (was.state, was.next_seq) == last:
                self._before[job_id] = was, self.now()
            self._last[job_id] = version

    def older(self, row: Any) -> Any:
        """The version before, if it was there a moment ago; no transaction waits for longer."""
        was, until = self._before.get(row.id, (row, 0.0))
        return was if self.now() - until < BUSY_FOR and self.happens() else row


class Overtaken(Transaction):
    """A transaction that may be overtaken after its first reads, until it holds or writes anything."""

    __slots__ = ("_fresh", "_late", "_versions", "_wrote")
    _versions: Versions
    _late: dict[str, Any]  # what it shows of each job that it read
    _fresh: bool
    _wrote: bool

    def __init__(self, tx: Transaction, versions: Versions) -> None:
        super().__init__(tx.connection, tx.now, tx.after_commit)
        self._set(_versions=versions, _late={}, _fresh=False, _wrote=False)

    def execute(self, statement: Any, parameters: Any = None) -> Any:
        """Run one statement."""
        result = super().execute(statement, parameters)
        if not statement.is_select:
            self._set(_wrote=True, _fresh=True)
            return result
        if statement._for_update_arg is not None:
            self._set(_fresh=True)
        return _Result(result, self, statement)

    def shown(self, row: Any, statement: Any) -> Any:
        """What a query for this job finds."""
        if not self._wrote:  # what this one wrote may yet be undone: nobody else sees it
            self._versions.saw(row)
        if self._fresh:
            return row
        older = self._late.get(row.id) or self._late.setdefault(row.id, self._versions.older(row))
        found_by_it = older.gateway_id != row.gateway_id and "gateway_id =" in str(statement.whereclause)
        return None if found_by_it else older

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


class _Result:
    """What a query found."""

    def __init__(self, result: Any, tx: Overtaken, statement: Any) -> None:
        self._result = result
        self._tx = tx
        self._statement = statement

    def first(self) -> Any:
        row = self._result.first()
        return row if row is None or "next_seq" not in row._fields else self._tx.shown(row, self._statement)

    def __iter__(self) -> Any:
        return iter(self._result)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)
