"""Chance and the trace, as every part of a simulation is given them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from orchestrator.simulation.chance import START, Fault, Scenario


@dataclass(slots=True)
class Trace:
    """What happened, line by line; nothing is kept unless `lines` is a list."""

    clock: Callable[[], float]
    lines: list[str] | None = None

    def __call__(self, who: str, what: str) -> None:
        """Keep one line."""
        if self.lines is not None:
            self.lines.append(f"{self.clock() - START:10.3f}  {who:<10} {what}")


@dataclass(slots=True)
class Chance:
    """One seed's random numbers, and whether a fault happens now."""

    random: Random
    scenario: Scenario
    clock: Callable[[], float]
    trace: Trace

    def happens(self, fault: Fault, *, late: bool = False) -> bool:
        """Whether it does; never once everything has healed, unless it may be `late`."""
        rate = self.scenario.rates.get(fault)
        if rate is None or (self.healed and not late) or self.random.random() >= rate:
            return False
        self.trace("fault", fault)
        return True

    @property
    def healed(self) -> bool:
        """Whether nothing goes wrong any more."""
        return self.clock() >= START + self.scenario.heals_at


_NAMED = {
    "jobs": ("id", "state", "due_at", "leased_by", "fence", "suspicion"),
    "hand_offs": ("key", "state", "due_at", "leased_by", "fence", "attempts", "generation"),
    "attempts": ("key", "number", "result", "error"),
    "observations": ("job_id", "seq", "source", "seen", "verdict", "inbox_id"),
    "inbox": ("event_key", "state", "deliveries"),
    "outputs": ("job_id", "index", "sha256", "archived_at"),
    "events": ("job_id", "seq", "type"),
}


def told(table: str, row: Mapping[str, Any]) -> str:
    """A committed row in a few words."""
    said = [row[name] - START if name == "due_at" and row[name] else row[name] for name in _NAMED[table]]
    return f"{table}: " + " ".join(
        "-" if one is None else f"{one:.3f}" if isinstance(one, float) else str(one) for one in said
    )
