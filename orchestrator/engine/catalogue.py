"""Every destination there is: of the file, added by command, and the folder that is there anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from orchestrator.core.routes import Outcome, Route
from orchestrator.engine.reread import Reread
from orchestrator.errors import SettingError
from orchestrator.sinks import Sink
from orchestrator.store import configured
from orchestrator.store.configured import Entry
from orchestrator.store.database import Store, Transaction
from orchestrator.store.schema import DEFAULT

BUILT_IN, IN_FILE, IN_DATABASE = "built in", "file", "database"


@dataclass(frozen=True, slots=True)
class Destination:
    """A named place. `link`: it is told where outputs are. `default`: jobs go there that name none.

    `at_once`: hand-offs under way there at once, per worker. `tenants`: whose jobs may go there; None: all.
    `kind`, `source` and `options` are for people: what it is, where that is said, and all that is said of it
    that anybody may see.
    """

    name: str
    sink: Sink
    outcomes: tuple[Outcome, ...] = tuple(Outcome)
    link: bool = False
    default: bool = True
    at_once: int | None = None
    tenants: tuple[str, ...] | None = None
    kind: str = ""
    source: str = BUILT_IN
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def is_for(self, tenant_id: str) -> bool:
        """Whether jobs of this tenant may go there."""
        return self.tenants is None or tenant_id in self.tenants

    @property
    def route(self) -> Route:
        """As a job keeps it."""
        return Route(self.name, self.outcomes, self.link)


class Added:
    """Destinations that were added by command, as the database has them; unchanged ones keep their sink."""

    def __init__(
        self, store: Store, build: Callable[[Entry], Destination], clock: Callable[[], float]
    ) -> None:
        self._build = build
        self._known: dict[str, tuple[Entry, Destination]] = {}
        self._now: Mapping[str, Destination] = {}
        self._rows = Reread(store, _entries, self._take_over, clock)

    def now(self) -> Mapping[str, Destination]:
        """By name, as they were at most two seconds ago; the same mapping where nothing changed.

        Raises StoreError while they were never read.
        """
        self._rows.renew()
        return self._now

    def close(self) -> None:
        """Close every sink."""
        with self._rows.turn:
            for _, destination in self._known.values():
                destination.sink.close()

    def _take_over(self, entries: list[Entry]) -> None:
        before = self._known
        after = {
            one.name: kept
            if (kept := before.get(one.name)) and _same(kept[0], one)
            else (one, self._build(one))
            for one in entries
        }
        gone = [kept for name, kept in before.items() if after.get(name) is not kept]
        if gone or after.keys() != before.keys():
            self._known = after
            self._now = {name: destination for name, (_, destination) in after.items()}
        for _, destination in gone:
            destination.sink.close()


def _entries(tx: Transaction) -> list[Entry]:
    return configured.every(tx)


def _same(one: Entry, other: Entry) -> bool:
    """Whether nothing changed. Secrets that were encrypted anew are the same secrets."""
    return (one.kind, one.settings, one.changed_at) == (other.kind, other.settings, other.changed_at)


class Catalogue(Mapping[str, Destination]):
    """All destinations by name. Threads share it.

    `builtin` is there unless another one has its name, and is a default of tenants that have no other. What
    `added` says is noticed within two seconds. A name that both have is refused when this is first used, by
    SettingError; later the one that was given stays.
    """

    def __init__(
        self,
        given: Iterable[Destination] = (),
        *,
        builtin: Destination | None = None,
        added: Added | None = None,
    ) -> None:
        self._given = {one.name: one for one in given}
        self._builtin = builtin
        self._added = added
        self._merged: tuple[Mapping[str, Destination], dict[str, Destination]] | None = None

    @classmethod
    def of(cls, sinks: Mapping[str, Sink]) -> Self:
        """A catalogue of these sinks, each told everything, as files where it takes them."""
        return cls(Destination(name, sink, link=not sink.takes_files) for name, sink in sinks.items())

    def __getitem__(self, name: str) -> Destination:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def of_tenant(self, tenant_id: str) -> dict[str, Destination]:
        """What jobs of this tenant may name. What is owed elsewhere is handed off all the same."""
        there = {name: one for name, one in self._all().items() if one.is_for(tenant_id)}
        builtin = self._builtin
        # Not in the place of one that has its name and is not for this tenant: hand-offs go by the name.
        if builtin and self._all()[builtin.name].sink is builtin.sink:
            there[builtin.name] = replace(builtin, default=len(there) == 1)
        return there

    def defaults(self, tenant_id: str = DEFAULT) -> tuple[Route, ...]:
        """Where jobs of this tenant go that name no destination."""
        return tuple(one.route for one in self.of_tenant(tenant_id).values() if one.default)

    def close(self) -> None:
        """Close every sink; one with an attempt under way once that is over."""
        builtin = [self._builtin] if self._builtin else []
        for one in [*self._given.values(), *builtin]:
            one.sink.close()
        if self._added:
            self._added.close()

    def _all(self) -> dict[str, Destination]:
        added: Mapping[str, Destination] = self._added.now() if self._added else {}
        merged = self._merged
        if merged is None:
            self._require_apart(added)
        if merged is None or merged[0] is not added:
            merged = self._merged = (added, self._with_builtin({**added, **self._given}))
        return merged[1]

    def _with_builtin(self, others: dict[str, Destination]) -> dict[str, Destination]:
        if self._builtin is None or self._builtin.name in others:
            return others
        return {self._builtin.name: replace(self._builtin, default=not others), **others}

    def _require_apart(self, added: Mapping[str, Destination]) -> None:
        if both := sorted(added.keys() & self._given.keys()):
            raise SettingError(
                f"the destinations file and the database both have a destination {', '.join(both)}",
                hint="take it out of the file, or `orchestrator destinations remove` it",
            )
