"""The store of all simulated processes: real SQL; it can be away, and tells what was committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.errors import StoreError
from orchestrator.simulation.chance import Fault
from orchestrator.simulation.scheduler import Activity, Crash, whoever
from orchestrator.simulation.tools import Chance
from orchestrator.simulation.versions import Overtaken, Versions
from orchestrator.store.database import Transaction
from orchestrator.store.in_memory import InMemoryStore

Committed = Callable[[Activity | None, list[tuple[str, int, dict[str, Any]]]], None]


class Staged(StoreError):
    """The database fails because the simulation has it so; any other failure is a bug."""


class SimulatedStore(InMemoryStore):
    """One database for all simulated processes; each seed starts it afresh with `begin`."""

    def __init__(self) -> None:
        self.now = 0.0
        self._clock_of_seed: Callable[[], float] = lambda: 0.0
        self.open = False
        self._chance: Chance | None = None
        super().__init__(self._moment)

    def begin(
        self, clock: Callable[[], float], chance: Chance, beats: Callable[[], None], committed: Committed
    ) -> None:
        """A new seed: `beats` brings heartbeats up to date, `committed` is told of each transaction."""
        self.start_afresh()
        self.open = False
        self._clock_of_seed = clock
        self._chance = chance
        self._beats = beats
        self._committed = committed
        self._versions = Versions(self._moment, lambda: chance.happens(Fault.OLDER_READ))

    def _moment(self) -> float:
        return self._clock_of_seed()

    @contextmanager
    def write(self, *, durable: bool = True, yields: bool = False) -> Iterator[Transaction]:
        """As the store's; between here and the commit no other activity has a turn."""
        if self._chance is None:  # the schema is being made
            with super().write(durable=durable, yields=yields) as tx:
                yield tx
            return
        self._allow()
        with self._turn():
            with super().write(durable=durable, yields=yields) as tx:
                staged = Fault.OLDER_READ in self._chance.scenario.rates
                yield Overtaken(tx, self._versions) if staged else tx
            self.open = False
            changed = self.changed()
            self._versions.committed(row for table, _, row in changed if table == "jobs")
            self._committed(whoever(), changed)
        if self._chance.happens(Fault.COMMIT_UNKNOWN) and whoever() is not None:
            raise Staged("the connection was lost during the commit (simulated)")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """As the store's."""
        if self._chance is None:
            with super().read() as tx:
                yield tx
            return
        self._allow()
        with self._turn(), super().read() as tx:
            yield tx

    def _allow(self) -> None:
        activity = whoever()
        assert self._chance is not None
        if activity is None:
            return
        if not activity.owner.alive:
            raise Crash
        if self._chance.happens(Fault.DATABASE_AWAY):
            raise Staged("the database is away (simulated)")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._beats()
        self.open = True
        try:
            yield
        finally:
            self.open = False
