"""What is in the database, for checks: nothing is made and nothing is changed for that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from orchestrator import wiring
from orchestrator.errors import OrchestratorError
from orchestrator.settings import Settings
from orchestrator.store.database import Transaction, missing_file
from orchestrator.store.migrate import require_current

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows:
    """The database of these settings; not `usable` where one of those that say which it is is wrong."""

    settings: Settings
    usable: bool = True

    def read(self, read: Callable[[Transaction], list[T]]) -> list[T]:
        """What is read; nothing where no database of this version can be: its own check says why."""
        if not self.usable or missing_file(self.settings.resolved_database_url):
            return []
        try:
            with closing(wiring.open_store(self.settings, only_looks=True)) as store:
                require_current(store)
                with store.read() as tx:
                    return read(tx)
        except OrchestratorError:
            return []
