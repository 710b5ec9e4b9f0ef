"""What applies to each job at this moment: a plan that was learned, or the gateway's guidance, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zlib import crc32

from orchestrator.core.learned.plan import Plan

LONGEST = 900.0  # seconds between two looks at most, however well webhooks come
# One of the gateway's five-minute ticks and a little: then it is known how late a webhook comes.
LEFT_ALONE_FOR = 330.0
LEFT_ALONE_WORTH = 6.0  # requests that the waiting may cost
NEARLY_ALL = 0.95
MOST_WANTED = 1_000  # at a time: processes that make no schedules ask for them too


class Why(StrEnum):
    """Why the next look at a job is when it is."""

    NO_DATA = "no_data"  # too few jobs of its class have ended: the gateway's guidance
    LEARNED = "learned"  # what was learned says so
    FLOOR = "floor"  # sooner would be better, and the gateway asks for more patience
    LONGEST = "longest"  # later would be cheaper, and no look is put off further than that
    SILENT = "silent"  # its webhooks have stopped coming: the gateway's guidance
    LEFT_ALONE = "left_alone"  # one of the few by which it is learned how late webhooks come
    CLOSELY = "closely"  # one of the few that follow the guidance, to learn when jobs end
    ERRORS = "errors"  # looks failed: it waits longer with each
    RETRIED = "retried"  # our receiver was away: the gateway is about to tell again what it could not
    NO_ROOM = "no_room"  # its tenant's rate of looks leaves none sooner
    SHADOW = "shadow"  # webhooks are only scored: the gateway's guidance
    OFF = "off"  # the settings say that the guidance is followed
    DEADLINE = "deadline"  # the last look, at the job's deadline


@dataclass(frozen=True, slots=True)
class Pace:
    """How one job is looked at. Without a plan by the guidance, and `why` says why there is none.

    `left_alone_until` is the age before which nobody looks.
    """

    why: Why = Why.NO_DATA
    plan: Plan | None = None
    longest: float = LONGEST
    left_alone_until: float | None = None


BY_GUIDANCE = Pace()
TURNED_OFF = Pace(Why.OFF)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What was learned for a class and a channel. `teach_…`: too little is known; some jobs teach it."""

    pace: Pace
    teach_delays: bool = False
    teach_endings: bool = False


@dataclass(slots=True)
class Paces:
    """All that was learned, by class and channel. `wanted` collects what was asked for and is not there yet.

    `explored` is the share of jobs that may be left alone, and the share that may be looked at closely, to
    learn. `off` follows the guidance whatever was learned.
    """

    schedules: Mapping[tuple[str, str | None], Schedule] = field(default_factory=dict)
    explored: float = 0.0
    left_alone_for: float = LEFT_ALONE_FOR
    off: bool = False
    wanted: set[tuple[str, str | None]] = field(default_factory=set)

    def of(self, job_id: str, class_name: str | None, channel: str | None) -> Pace:
        """How a job is looked at."""
        if self.off:
            return TURNED_OFF
        if class_name is None:
            return BY_GUIDANCE
        schedule = self.schedules.get((class_name, channel))
        if schedule is None:
            if len(self.wanted) < MOST_WANTED:
                self.wanted.add((class_name, channel))
            return BY_GUIDANCE
        plan = schedule.pace.plan
        chance = crc32(job_id.encode()) / 2**32
        if plan is not None and schedule.teach_delays and chance < self.explored:
            until = age_when_ended(plan, NEARLY_ALL) + self.left_alone_for
            return Pace(Why.LEFT_ALONE, plan, schedule.pace.longest, until)
        if schedule.teach_endings and self.explored <= chance < 1.5 * self.explored:
            return Pace(Why.CLOSELY)
        return schedule.pace


def left_alone_for(request_seconds: float) -> float:
    """How long a job is left alone beyond the age at which nearly all have ended, in seconds."""
    return min(LEFT_ALONE_FOR, LEFT_ALONE_WORTH * request_seconds)


def age_when_ended(plan: Plan, share: float) -> float:
    """The age by which a share of the jobs has ended."""
    return next(
        (age for age, ended in zip(plan.ages, plan.ended, strict=True) if ended >= share), plan.ages[-1]
    )
