"""The destinations that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.core.routes import Outcome, Route
from orchestrator.sinks import Sink


@dataclass(frozen=True, slots=True)
class Destination:
    """A named place, what it wants, and whether jobs go there that name none."""

    name: str
    sink: Sink
    outcomes: tuple[Outcome, ...] = tuple(Outcome)
    link: bool = False
    default: bool = True
    at_once: int | None = None

    @property
    def route(self) -> Route:
        """What a job is owed there unless it says otherwise."""
        return Route(self.name, self.outcomes, self.link)


class Catalogue(Mapping[str, Destination]):
    """All destinations by name."""

    def __init__(self, there: Mapping[str, Destination]) -> None:
        self._there = there

    @classmethod
    def of(cls, sinks: Mapping[str, Sink]) -> Catalogue:
        """Destinations of these sinks, about which nothing else is said."""
        return cls({name: Destination(name, sink) for name, sink in sinks.items()})

    @property
    def defaults(self) -> tuple[Route, ...]:
        """Where jobs go that name no destination."""
        return tuple(one.route for one in self.values() if one.default)

    def __getitem__(self, name: str) -> Destination:
        return self._there[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._there)

    def __len__(self) -> int:
        return len(self._there)
