"""A cursor of psycopg's for PostgreSQL that holds nobody up when its process freezes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.rows import TupleRow


class NoPipeline(psycopg.Cursor[TupleRow]):
    """Sends several rows one after the other.

    psycopg would send them as a pipeline. A client that freezes in the middle of one is not idle for
    PostgreSQL (seen with 15), which never ends its transaction: others wait for its rows without end.
    """

    _changed: int | None = None

    @property
    def rowcount(self) -> int:
        """How many rows were changed, by all of them."""
        return super().rowcount if self._changed is None else self._changed

    def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> None:
        """Run it with each; what it returns is not kept."""
        changed = 0
        for params in params_seq:
            self.execute(query, params)
            changed += super().rowcount
        self._changed = changed
