"""Evidence about a duration: how often it was known to lie between which two moments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from orchestrator.core.learned.grid import BEYOND, bin_of, bins_between

LEAST = 1e-3  # of a job: what decayed below it is forgotten


@dataclass(slots=True)
class Spans:
    """Weights by first and last bin. One bin: known exactly; up to `BEYOND`: only known to be longer."""

    weights: dict[tuple[int, int], float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """How many durations there are."""
        return sum(self.weights.values())

    @property
    def ended(self) -> float:
        """How many of them are not only known to be longer than something."""
        return sum(weight for (_, last), weight in self.weights.items() if last < BEYOND)

    def add(self, low: float, high: float | None, weight: float = 1.0) -> None:
        """One duration between `low` and `high` seconds; None: longer than `low`."""
        span = (bin_of(low), BEYOND) if high is None else bins_between(low, high)
        self.weights[span] = self.weights.get(span, 0.0) + weight

    def merge(self, other: Spans) -> None:
        """Take over what another one knows."""
        for span, weight in other.weights.items():
            self.weights[span] = self.weights.get(span, 0.0) + weight

    def decay(self, factor: float) -> None:
        """Let all of it count less."""
        decayed = {span: weight * factor for span, weight in self.weights.items()}
        self.weights = {span: weight for span, weight in decayed.items() if weight > LEAST}

    def as_json(self) -> list[list[float]]:
        """First bin, last bin and weight of each."""
        return [[first, last, round(weight, 4)] for (first, last), weight in sorted(self.weights.items())]


def read_spans(value: Iterable[Any]) -> Spans:
    """What `as_json` gave. Raises ValueError for what is no evidence."""
    spans = Spans({(int(first), int(last)): float(weight) for first, last, weight in value})
    for (first, last), weight in spans.weights.items():
        if not (0 <= first <= last <= BEYOND and 0.0 <= weight < inf):
            raise ValueError(
                f"no evidence lies between the bins {first} and {last} with a weight of {weight}"
            )
    return spans


def together(parts: Iterable[Spans]) -> Spans:
    """What all of them know."""
    whole = Spans()
    for part in parts:
        whole.merge(part)
    return whole
