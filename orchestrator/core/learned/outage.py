"""After an outage of our receiver: which jobs are left to the gateway, which tries its webhooks again.

What we refused or did not answer is tried not before 60 s, 5 and 15 minutes after each failure, on ticks of
five minutes (contract 4.4). So of a job that ended meanwhile it is known when it will be told, but not
whether it ended.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import ceil

from orchestrator.core.job import HookTold, Job, Updates
from orchestrator.core.learned.hooks import LONGEST_PATIENCE
from orchestrator.core.learned.plan import Plan
from orchestrator.core.learned.ticks import TICK
from orchestrator.core.lifecycle import State

PAUSES = (60.0, 300.0, 900.0)  # seconds after a failed attempt before which there is no other
SHORTEST = 20.0  # seconds without a receiver that are an outage
AFTER_TICK = 15.0  # seconds that the gateway takes to tell all that it tries again on a tick
_POINTS = 16  # moments of an outage at which a job may have ended


@dataclass(frozen=True, slots=True)
class Outage:
    """When our receiver was away, from its last sign of life to the next one, in epoch seconds."""

    began: float
    ended: float

    def matters(self, now: float) -> bool:
        """Whether the gateway may still try what it could not tell during it."""
        return self.ended <= now <= self.ended + LONGEST_PATIENCE

    def may_hold(self, earliest: float, latest: float) -> bool:
        """Whether what happened between two moments may have happened during it."""
        return earliest <= self.ended and latest >= self.began

    def tried_again(self, ended_at: float) -> float | None:
        """The tick on which an end noticed during it is told at last; None: all attempts were in vain."""
        at = ended_at
        for pause in PAUSES:
            at = ceil((at + pause) / TICK) * TICK
            if at > self.ended:
                return at
        return None


@dataclass(frozen=True, slots=True)
class _Chances:
    """Of a job that was not heard of, all in one measure.

    `told_on`: that it ended and will be told, by the tick; `lost`: that it ended and nobody will tell.
    """

    told_on: dict[float, float]
    lost: float
    running: float

    @property
    def told(self) -> float:
        return sum(self.told_on.values())

    @property
    def ended(self) -> float:
        return (self.told + self.lost) / (self.told + self.lost + self.running)


def left_until(job: Job, plan: Plan, outage: Outage, *, now: float, request_seconds: float) -> float | None:
    """Until when a job with a look due now is left to the gateway, a little after a tick; None: look now.

    It is where the outage is the likeliest reason that nothing was heard, and the lag of those that ended
    costs less than a request: `request_seconds` are what one is worth.
    """
    if not _may_be_told(job) or not outage.matters(now):
        return None
    chances = _chances(job, plan, outage, now)
    if chances is None or chances.told <= chances.lost:
        return None
    until = min(chances.told_on) + AFTER_TICK
    lag = chances.ended * (until - now)
    return until if lag < request_seconds and until <= job.deadline_at else None


def proves_wrong(outage: Outage, told: HookTold, ended_at: float, *, now: float) -> bool:
    """Whether the gateway plans no further try where one was counted on."""
    if told.delivered or told.next_try_at is not None or not told.tries:
        return False  # without any try the first one is still to come
    expected = outage.tried_again(ended_at) if outage.began <= ended_at <= outage.ended else None
    return expected is not None and expected > now


def _may_be_told(job: Job) -> bool:
    quiet = job.state is State.WAITING and not job.suspicion and not job.look_errors
    return quiet and job.updates is Updates.HYBRID and job.channel is not None


def _chances(job: Job, plan: Plan, outage: Outage, now: float) -> _Chances | None:
    assert job.created_at is not None
    seen_at = job.seen_running_at or job.created_at
    began = max(outage.began, seen_at)
    if began >= outage.ended:
        return None  # it began, or ran on, after that

    def ended_between(earlier: float, later: float) -> float:
        """The share of such jobs that ended between two moments."""
        assert job.created_at is not None
        ages = max(earlier - job.created_at, 0.0), max(later - job.created_at, 0.0)
        return plan.ended_by(ages[1]) - plan.ended_by(ages[0])

    told_on: dict[float, float] = defaultdict(float)
    # Where nothing was in our way, only what is lost at all was not heard of.
    lost = (plan.lost or 0.0) * (ended_between(seen_at, began) + ended_between(outage.ended, now))
    step = (outage.ended - began) / _POINTS
    for point in range(_POINTS):
        share = ended_between(began + point * step, began + (point + 1) * step)
        tick = outage.tried_again(began + (point + 0.5) * step)
        if tick is None or tick + AFTER_TICK <= now:
            lost += share
        elif share > 0:
            told_on[tick] += share
    running = 1.0 - plan.ended_by(now - job.created_at)
    return _Chances(told_on, lost, running) if told_on else None
