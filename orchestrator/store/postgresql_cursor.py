"""A cursor of psycopg's for PostgreSQL that holds nobody up when its process freezes, and is quick."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, overload

import psycopg
from psycopg import Column
from psycopg.rows import TupleRow


class PostgresqlCursor(psycopg.Cursor[TupleRow]):
    """Sends several rows one after the other, and describes columns to those alone who look.

    psycopg would send rows as a pipeline. A client that freezes in the middle of one is not idle for
    PostgreSQL (seen with 15), which never ends its transaction: others wait for its rows without end.
    """

    _changed: int | None = None

    @property
    def rowcount(self) -> int:
        """How many rows were changed, by all of them."""
        return super().rowcount if self._changed is None else self._changed

    @property
    def description(self) -> Any:
        """What columns the latest result has; None where it has none."""
        if self.pgresult is None or not self.pgresult.nfields:
            return super().description
        return Columns(lambda: super(PostgresqlCursor, self).description or [])

    def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> None:
        """Run it with each; what it returns is not kept."""
        changed = 0
        for params in params_seq:
            self.execute(query, params)
            changed += super().rowcount
        self._changed = changed


class Columns(Sequence[Column]):
    """The columns of a result, described when somebody looks at them while it is still the latest.

    SQLAlchemy takes them from each result and looks at those of a statement's first alone. To describe the
    columns of a job takes longer than all else that psycopg does to read one.
    """

    def __init__(self, describe: Callable[[], Sequence[Column]]) -> None:
        self._describe = describe

    @cached_property
    def _described(self) -> Sequence[Column]:
        return self._describe()

    def __len__(self) -> int:
        return len(self._described)

    @overload
    def __getitem__(self, index: int) -> Column: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Column]: ...
    def __getitem__(self, index: int | slice) -> Column | Sequence[Column]:
        return self._described[index]
