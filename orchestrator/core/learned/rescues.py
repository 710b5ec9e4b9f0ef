"""Ends that a look told although a webhook was awaited, against what a healthy channel leaves to looks.

Plans follow what is lost within a handful of jobs, and would soon foresee any loss: so no more of it counts
as foreseen than is lost of a channel that is healthy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import sqrt
from typing import Any

from orchestrator.core.learned.hooks import WELL_SHARE
from orchestrator.core.learned.plan import Plan

KEPT = 0.98  # of the weight of the earlier ones, with each further end: about the latest fifty count
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
        """One job ended; `chance` is the share of such ends that are left to looks (`left_to_looks`)."""
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


def left_to_looks(plan: Plan) -> float:
    """The share of ends that looks would find by a plan, were the channel a healthy one."""
    if plan.lost is None or plan.lost <= WELL_SHARE:
        return plan.rescues
    late = max(plan.rescues - plan.lost, 0.0) / max(1.0 - plan.lost, 1e-9)  # of those that come
    return WELL_SHARE + (1.0 - WELL_SHARE) * late


def read_rescues(value: Mapping[str, Any]) -> Rescues:
    """What `as_json` gave; none where it is empty."""
    return Rescues(**{field.name: float(value.get(field.name, 0.0)) for field in fields(Rescues)})
