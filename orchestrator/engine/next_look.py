"""When a job is looked at next, and why, as far as its own row and what is known of webhooks tell.

`explaining` works it out in full, with what was learned of when jobs end: for that a process must load numpy,
which those that serve people do not.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core import cadence
from orchestrator.core.cadence import Guidance
from orchestrator.core.job import Job, Updates
from orchestrator.core.learned.classes import everywhere
from orchestrator.core.learned.endings import read_endings
from orchestrator.core.learned.hooks import Health, read_hooks
from orchestrator.core.learned.paces import Why
from orchestrator.core.lifecycle import State
from orchestrator.engine import hook_health
from orchestrator.engine.context import Context
from orchestrator.engine.legible import legible
from orchestrator.engine.why import WHY
from orchestrator.store import estimates
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind

NEARLY = 0.12  # of a spacing: jitter may move a look by so much
PUT_OFF = (
    "by what was learned of jobs like it and of their webhooks, a look is not worth its request before then"
)
AS_SOON = "that is as soon as the gateway's guidance asks for"
BROUGHT = "somebody wanted to know sooner than the guidance asks for"
SEARCHING = "the gateway's list is searched for it again and again, until it is found or its time is over"
DETAIL = "the job is over, and a look is to tell what is still missing of its end"


@dataclass(frozen=True, slots=True)
class NextLook:
    """The next look at a job. Moments in epoch seconds, the rest in seconds.

    `hint` is for how long the gateway wants to be left alone after a look, until `floor_until`; `by_guidance`
    when the guidance alone would look; `alike` how many jobs like it ended that something was learned from.
    """

    at: float
    because: str
    seen_at: float
    hint: float
    floor_until: float
    by_guidance: float
    alike: float | None


def next_look(tx: Transaction, context: Context, job: Job) -> NextLook | None:
    """The next look at a job; None where none is to come."""
    if job.due_at is None or job.state in (State.ACCEPTED, State.CREATING):
        return None
    when_absent = context.settings.poll_after_seconds
    seen_at = max(job.created_at or job.state_since, job.last_look_at or 0.0)
    hint = cadence.floor(Guidance(job.poll_after), when_absent)
    by_guidance = seen_at + cadence.spacing(Guidance(job.poll_after), job.look_errors, when_absent)
    return NextLook(
        at=job.due_at,
        because=_because(tx, context, job, seen_at, by_guidance),
        seen_at=seen_at,
        hint=hint,
        floor_until=seen_at + hint,
        by_guidance=by_guidance,
        alike=_alike(tx, job),
    )


def soonest(context: Context, job: Job, now: float) -> float:
    """The soonest moment at which it may be looked at: the gateway wants to be left alone after each look."""
    if job.state is not State.WAITING:
        return now
    seen_at = max(job.created_at or job.state_since, job.last_look_at or 0.0)
    return max(now, seen_at + cadence.floor(Guidance(job.poll_after), context.settings.poll_after_seconds))


def hooks_of(tx: Transaction, job: Job) -> hook_health.Standing | None:
    """How the webhooks come that are to tell its end; None where none is awaited."""
    if job.channel is None:
        return None
    names = (everywhere(job.channel), job.channel)
    known = estimates.several(tx, [(EstimateKind.HOOKS, one) for one in names])
    whole, own = (legible(read_hooks, known.get((EstimateKind.HOOKS, one), {})) for one in names)
    silent = whole.health is Health.SILENT  # so is then each channel over it
    return hook_health.standing(names[0], whole) if silent else hook_health.standing(names[1], own)


def _because(tx: Transaction, context: Context, job: Job, seen_at: float, by_guidance: float) -> str:
    assert job.due_at is not None
    if job.state is not State.WAITING:
        return SEARCHING if job.state is State.UNCERTAIN else DETAIL
    if job.look_errors:
        return WHY[Why.ERRORS]
    if job.due_at >= job.deadline_at:
        return WHY[Why.DEADLINE]
    if context.paces.off:
        return WHY[Why.OFF]
    if job.updates is Updates.SHADOW:
        return WHY[Why.SHADOW]
    return _compared(tx, job, seen_at, by_guidance)


def _compared(tx: Transaction, job: Job, seen_at: float, by_guidance: float) -> str:
    """What the spacing itself tells."""
    assert job.due_at is not None
    spread = NEARLY * (by_guidance - seen_at) + 1.0
    if job.due_at > by_guidance + spread:
        return PUT_OFF
    if job.due_at < by_guidance - spread:
        return BROUGHT
    hooks = hooks_of(tx, job)
    return WHY[Why.SILENT] if hooks is not None and hooks.health is Health.SILENT else AS_SOON


def _alike(tx: Transaction, job: Job) -> float | None:
    if job.ending_class is None:
        return None
    return legible(read_endings, estimates.get(tx, EstimateKind.ENDINGS, job.ending_class)).ended
