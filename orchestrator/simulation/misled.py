"""What was learned, and is wrong: that no job is lost must not rest on good estimates."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from orchestrator.core.learned.paces import Pace, Paces, Why
from orchestrator.core.learned.plan import Plan

AGES = (0.0, 5.0, 20.0, 60.0, 150.0, 400.0)
SPACINGS = (0.0, 1.0, 25.0, 90.0, 300.0, 5_000.0)  # seconds; those below the gateway's hint are for nobody


@dataclass(slots=True)
class Misled(Paces):
    """Says another moment each time it is asked."""

    random: Random = field(default_factory=Random)

    def of(self, job_id: str, class_name: str | None, channel: str | None) -> Pace:
        """How a job is looked at."""
        choice = self.random.choice
        if self.random.random() < 0.2:
            return Pace(choice((Why.SILENT, Why.NO_DATA)))
        after = tuple(age + choice(SPACINGS) for age in AGES)
        plan = Plan(
            AGES, after, AGES, AGES, floor=20.0, jobs=100.0, lost=0.0, requests=0.0, lag=0.0, rescues=0.0
        )
        alone = choice((None, None, None, 200.0))
        return Pace(Why.LEARNED, plan, longest=choice((30.0, 900.0)), left_alone_until=alone)
