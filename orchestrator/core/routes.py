"""Where a job's results go: which destination gets which outcomes, and whether as files or links. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ARCHIVE = "archive"  # the place that every output is brought to first; no destination may have its name


class Outcome(StrEnum):
    """How something ended."""

    COMPLETED = "completed"  # there are outputs, and the archive has them if they are kept
    FAILED = "failed"  # the provider failed
    CANCELLED = "cancelled"  # the provider cancelled, or the caller did before anything was made
    EXPIRED = "expired"  # the provider let it expire
    REJECTED = "rejected"  # the gateway, or every provider, refused the request
    TIMED_OUT = "timed_out"  # nobody said how it ended before our deadline
    UNCERTAIN = "uncertain"  # nobody can say whether the create made a job: a person is asked
    OUTPUT_MISSING = "output_missing"  # completed, and the gateway says for long that an output is not there
    OUTPUT_UNAVAILABLE = "output_unavailable"  # completed, and an output could not be fetched in all attempts


@dataclass(frozen=True, slots=True)
class Route:
    """One destination of a job. `link`: it is told where the outputs are, instead of being brought them."""

    destination: str
    outcomes: tuple[Outcome, ...] = tuple(Outcome)
    link: bool = False

    def wants(self, outcome: str) -> bool:
        """Whether an outcome is told there; what follows a dash, an output's number, is ignored."""
        return outcome.partition("-")[0] in self.outcomes

    @property
    def brings_files(self) -> bool:
        """Whether the outputs of a completed job are copied there."""
        return self.wants(Outcome.COMPLETED) and not self.link

    def as_json(self) -> dict[str, Any]:
        """As it is kept with a job."""
        return {"to": self.destination, "outcomes": list(self.outcomes), "link": self.link}


def read_route(kept: str | Mapping[str, Any]) -> Route:
    """A route as it was kept; a name alone, as earlier versions kept it, wants everything, as files."""
    if isinstance(kept, str):
        return Route(kept)
    return Route(kept["to"], tuple(Outcome(one) for one in kept["outcomes"]), bool(kept["link"]))


def lane_of(tenant_id: str, destination: str) -> str:
    """What one tenant is owed at one destination waits in one line, apart from all other."""
    return f"{tenant_id}/{destination}"


def lanes_of(routes: Iterable[Route]) -> list[str]:
    """Every place that a job with these routes may be owed something at."""
    return sorted({ARCHIVE, *(route.destination for route in routes)})
