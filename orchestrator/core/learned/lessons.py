"""What the end of a job teaches, noted with it in one transaction and folded into what is known later on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.learned.classes import model_of
from orchestrator.core.learned.hooks import SHORTEST_PATIENCE
from orchestrator.core.learned.ticks import on_tick
from orchestrator.core.lifecycle import SETTLED, State, Step, Verdict

ENDS = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED, State.EXPIRED})
CAUSED_WITHIN = 3.0  # seconds before a look was answered: the gateway stored the end because of it
CLOSE_NARROW = 30.0  # seconds; an end known so closely shows when jobs end
CLOSE_SHARE = 0.1  # of the age, likewise
DETAILS_TAKE = (
    150.0  # seconds after which the looks for an outcome's reason are over (effects.DETAIL_PATIENCE)
)
LOOK_TAKES = 15.0  # seconds within which one that is under way is answered, nearly always


class LessonKind(StrEnum):
    """What happened."""

    ENDED = "ended"  # a job ended: when, who told, and how late
    CLOSED = "closed"  # some time after that: whether its webhook came, and what it took
    CAME_LATE = "came_late"  # a webhook that counted as missed came after all
    LISTED = "listed"  # a list was asked for, which stood for several looks
    LISTING = "listing"  # of ends that looks found: how many a list had shown as ended, how many as running


@dataclass(frozen=True, slots=True)
class Lesson:
    """One thing learned about a job, to be folded in after so many seconds."""

    kind: LessonKind
    after: float
    data: dict[str, Any]


def taught(job: Job, seen: Observation, step: Step, changes: Mapping[str, Any], now: float) -> list[Lesson]:
    """What an observation teaches; `job` as it was before it, `changes` what it changed."""
    if step.verdict is Verdict.MOVED and job.state is State.WAITING and job.created_at is not None:
        if step.to in ENDS:
            return _ended(job, seen, changes, now)
        if step.to is State.TIMED_OUT:
            return [
                Lesson(LessonKind.ENDED, 0.0, _whose(job) | _still_running(job, now)),
                Lesson(LessonKind.CLOSED, 0.0, _whose(job) | _given_up(job, seen, changes, now)),
            ]
    if job.state in SETTLED and job.hook_missed and job.hook_at is None and changes.get("hook_at"):
        return [Lesson(LessonKind.CAME_LATE, 0.0, {"channel": job.channel, "at": now})]
    return []


def _ended(job: Job, seen: Observation, changes: Mapping[str, Any], now: float) -> list[Lesson]:
    assert job.created_at is not None
    by_hook = seen.source is Source.WEBHOOK
    low, high = ages_of_end(job, seen, now)
    age = now - job.created_at
    # In shadow mode it may have come before the look that is believed.
    heard = age if by_hook else None if job.hook_at is None else job.hook_at - job.created_at
    high = high if heard is None else max(min(high, heard), low)
    # Told while a look was under way: that look caused it, and nobody knows how late it would have been.
    caused = job.leased_by is not None if by_hook else _scored_just_now(job, now)
    data = _whose(job) | {
        "at": now,
        "age": age,
        "low": low,
        "high": high,
        "narrow": high - low <= max(CLOSE_NARROW, CLOSE_SHARE * age),
        "told_by": seen.source,
        "came": heard is not None,
        "caused": caused,
        "hook": _told_of_hook(seen),
        "heard": heard,
        "told": _told_age(job, seen, now),
        "looks": changes.get("looks", job.looks),
        "hint": job.poll_after,
    }
    # A look that is under way is counted with the job as well.
    looking = LOOK_TAKES if job.leased_by is not None and by_hook else 0.0
    after = max(
        looking,
        DETAILS_TAKE if changes.get("detail_tries", job.detail_tries) else 0.0,
        SHORTEST_PATIENCE if job.channel and heard is None else 0.0,
    )
    return [Lesson(LessonKind.ENDED, 0.0, data), Lesson(LessonKind.CLOSED, after, data)]


def _scored_just_now(job: Job, now: float) -> bool:
    """In shadow mode: a webhook came so shortly before the answer to a look that this look caused it."""
    return job.hook_at is not None and now - job.hook_at < CAUSED_WITHIN


def _told_of_hook(seen: Observation) -> str | None:
    """What the gateway says of a webhook that a look was quicker than, in a word or two, for people."""
    told = seen.hook
    if told is None:
        return None
    if told.delivered:
        return "delivered, it says"
    if not told.tries:
        return "not tried yet"
    return f"HTTP {told.last_status}" if told.last_status else "no answer"


def _still_running(job: Job, now: float) -> dict[str, Any]:
    """It never ended before its deadline: only known to take longer."""
    assert job.created_at is not None
    return {"at": now, "low": (job.seen_running_at or job.created_at) - job.created_at, "high": None}


def _given_up(job: Job, seen: Observation, changes: Mapping[str, Any], now: float) -> dict[str, Any]:
    """For the ledger: its looks count, and no webhook was missed, since nobody knows of an end."""
    assert job.created_at is not None
    age = now - job.created_at
    told = {"channel": None, "at": now, "age": age, "low": age, "high": age, "told_by": seen.source}
    looks = {"looks": changes.get("looks", job.looks), "hint": job.poll_after}
    return told | looks | {"came": False, "caused": False, "heard": None}


def ages_of_end(job: Job, seen: Observation, now: float) -> tuple[float, float]:
    """The ages between which the job ended: after the last look that saw it running, before it was told.

    The gateway's own time of the end is believed where it is one: for an end that our look made it notice,
    it is the time of our look, and for one noticed on a five-minute tick the time of the tick.
    """
    assert job.created_at is not None
    low, high = job.seen_running_at or job.created_at, now
    told = seen.ended_at
    if told is not None and low <= told <= now:
        noticed = on_tick(told) or (seen.source is not Source.WEBHOOK and now - told < CAUSED_WITHIN)
        low, high = (low if noticed else told), told
    return low - job.created_at, max(high, low) - job.created_at


def _told_age(job: Job, seen: Observation, now: float) -> float | None:
    """The age at which the gateway says that the job ended, unless our look made it notice."""
    assert job.created_at is not None
    told = seen.ended_at
    if told is None or not (job.seen_running_at or job.created_at) <= told <= now:
        return None
    by_look = seen.source is not Source.WEBHOOK and now - told < CAUSED_WITHIN
    return None if by_look else told - job.created_at


def _whose(job: Job) -> dict[str, Any]:
    return {
        "class": job.ending_class,
        "channel": job.channel,
        "tenant": job.tenant_id,
        "model": model_of(job.request),
        "began_at": job.created_at,
        "updates": job.updates,
    }
