"""What the runs of a row come to: medians, with the least and the most."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.peers.rows import Run, Work


@dataclass(frozen=True)
class Spread:
    """A number that was measured several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def told(self, digits: int = 0) -> str:
        """`median (least to most)`."""
        middle, least, most = (
            f"{one:,.{digits}f}" for one in (self.median, min(self.values), max(self.values))
        )
        return middle if len(self.values) == 1 else f"{middle} ({least} to {most})"


@dataclass(frozen=True)
class Result:
    """All runs of one system at one work. A number that no run has, such as the lag of nothing, is None."""

    runs: tuple[Mapping[str, Any], ...]

    def spread(self, name: str) -> Spread | None:
        """Of one of the numbers of a run."""
        found = [run[name] for run in self.runs if run.get(name) is not None]
        return Spread(tuple(found)) if found else None

    def median(self, name: str) -> float | None:
        found = self.spread(name)
        return found.median if found else None

    def processor(self, *parts: str) -> Spread:
        """Seconds of the system's own processes, of its servers, or of both."""
        return Spread(tuple(sum(run["processor"][part] for part in parts) for run in self.runs))

    def states_a_processor_second(self) -> Spread:
        """How many states of jobs were learned at the gateway for each second of its own processes."""
        return Spread(tuple(run["states_read"] / run["processor"]["own"] for run in self.runs))

    def worst(self, name: str) -> int:
        """The most of something that should be none, over all runs."""
        return max(int(run[name]) for run in self.runs)


Results = dict[Work, dict[str, Result]]


def results(runs: Iterable[Run]) -> Results:
    """By work and by system, in the order in which they were measured."""
    found: dict[Work, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        row = run.row
        found[Work(row.jobs, row.shortest, row.longest, row.condition)][row.system].append(run.measured)
    return {work: {name: Result(tuple(some)) for name, some in by.items()} for work, by in found.items()}


def best(values: Iterable[float | None], *, least: bool = True) -> float | None:
    """The best of those that there are."""
    known = [one for one in values if one is not None]
    return (min(known) if least else max(known)) if known else None


def versions(every: Sequence[Run]) -> dict[str, dict[str, str]]:
    """What was measured last, by system."""
    return {run.row.system: dict(run.measured["versions"]) for run in every}
