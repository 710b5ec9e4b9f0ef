"""Ends that a look told although a webhook was awaited, against what the plans foresaw: more is an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import sqrt
from typing import Any

KEPT = 0.995  # of the weight of the earlier ones, with each further end: about the latest two hundred count
ENOUGH = 20.0  # ends, before which nobody is alarmed
DEVIATIONS = 3.0
MARGIN = 0.05  # of the ends: what is known of a channel is never quite true


@dataclass(slots=True)
class Rescues:
    """Sums over ends of jobs that followed a plan, the latest counting most."""

    followed: float = 0.0
    found: float = 0.0
    foreseen: float = 0.0
    variance: float = 0.0

    def learn(self, *, by_look: bool, chance: float) -> None:
        """One job ended; `chance` is the share of such ends that its plan left to looks."""
        self.followed = self.followed * KEPT + 1.0
        self.found = self.found * KEPT + by_look
        self.foreseen = self.foreseen * KEPT + chance
        self.variance = self.variance * KEPT**2 + chance * (1.0 - chance)

    @property
    def most(self) -> float:
        """As many are found by looks at most while the channel is as it is known to be."""
        return self.foreseen + DEVIATIONS * sqrt(self.variance) + MARGIN * self.followed

    @property
    def ill(self) -> bool:
        """Whether looks find more than that."""
        return self.followed >= ENOUGH and self.found > self.most

    def as_json(self) -> dict[str, Any]:
        """A plain mapping for the store."""
        return asdict(self)


def read_rescues(value: Mapping[str, Any]) -> Rescues:
    """What `as_json` gave; none where it is empty."""
    return Rescues(**{field.name: float(value.get(field.name, 0.0)) for field in fields(Rescues)})
