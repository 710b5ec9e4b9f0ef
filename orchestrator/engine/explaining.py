"""Why a job is looked at when it is, worked out again from the store, without a worker that runs."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from orchestrator.core import cadence
from orchestrator.core.cadence import JITTER_SHARE, Choice, Guidance
from orchestrator.core.effects import Policy
from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.learned import classes
from orchestrator.core.learned.endings import Endings, read_endings
from orchestrator.core.learned.estimate import ENOUGH_JOBS, endings_of, schedule_of
from orchestrator.core.learned.grid import BINS, EDGES
from orchestrator.core.learned.hooks import Hooks, read_hooks
from orchestrator.core.learned.lessons import ages_of_end
from orchestrator.core.learned.paces import BY_GUIDANCE, Pace, Paces, Schedule, Why
from orchestrator.core.learned.plan import Plan
from orchestrator.core.lifecycle import SETTLED, Seen, State
from orchestrator.engine.standing import Standing
from orchestrator.gateway import reading, vocabulary, webhooks
from orchestrator.settings import Cadence, Settings
from orchestrator.store import estimates, observations
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.observations import Recorded

MIDDLE = 0.5  # of the jitter
QUANTILES = (0.1, 0.5, 0.9)
# Of the spacing; what differs from what would be chosen now by more was chosen when other things were known.
JITTERED = 0.08
NOT_BY_PLAN = frozenset({Why.ERRORS, Why.SILENT, Why.NO_DATA, Why.SHADOW, Why.OFF})


@dataclass(frozen=True, slots=True)
class Alike:
    """What is known of jobs like this one. `all_sizes`: of its own size too few have ended.

    `quantiles` are the ages by which a tenth, half and nine tenths have ended, `ended_by_now` the share that
    has by this one's; None where none has.
    """

    name: str
    all_sizes: bool
    ended: float
    quantiles: tuple[float, ...] | None
    ended_by_now: float | None


@dataclass(frozen=True, slots=True)
class Next:
    """The next look, and what it follows from. Times in epoch seconds.

    `at` is when it is due; `chosen` is what would be chosen now, after what the last look saw at `seen_at`.
    `plan` is that of its class, also where the job does not follow it.
    """

    at: float
    chosen: Choice
    seen_at: float
    hint: float
    floor_until: float
    by_guidance: float
    plan: Plan | None

    @property
    def outdated(self) -> bool:
        """Whether it was chosen when other things were known."""
        spacing = max(self.chosen.at - self.seen_at, self.hint)
        return self.chosen.why not in NOT_BY_PLAN and abs(self.at - self.chosen.at) > JITTERED * spacing + 1.0


@dataclass(frozen=True, slots=True)
class End:
    """How it became known that a job ended: at an age between `low` and `high`, known at `age`, in seconds.

    `by_guidance` is how many looks the guidance alone would have sent, `hook_after` when a webhook told the
    end, in seconds after it was known.
    """

    won_by: Source | None
    age: float
    low: float
    high: float
    looks: int
    by_guidance: int
    hook_after: float | None


@dataclass(frozen=True, slots=True)
class Explained:
    """One job with all that decides, or decided, about its looks."""

    standing: Standing
    alike: Alike | None
    hooks: Hooks | None
    next: Next | None
    end: End | None


def explain(tx: Transaction, settings: Settings, found: Standing) -> Explained:
    """Why the next look at a job is when it is, or how its end became known."""
    job = found.job
    hooks = None if job.channel is None else read_hooks(estimates.get(tx, EstimateKind.HOOKS, job.channel))
    alike = None if job.ending_class is None else _alike(tx, job, job.ending_class)
    ended = job.state in SETTLED and job.created_at is not None and job.settled_at is not None
    return Explained(
        standing=found,
        alike=alike,
        hooks=hooks,
        next=next_of(tx, settings, job),
        end=_end(tx, job, settings) if ended else None,
    )


def next_of(tx: Transaction, settings: Settings, job: Job) -> Next | None:
    """The next look at a waiting job, and why it is then."""
    if job.state is not State.WAITING or job.due_at is None or job.created_at is None:
        return None
    pace, plan = _pace(tx, settings, job)
    seen_at = max(job.created_at, job.last_look_at or 0.0)
    chosen, by_guidance = (_choose(settings, job, seen_at, one) for one in (pace, BY_GUIDANCE))
    hint = cadence.floor(Guidance(job.poll_after), settings.poll_after_seconds)
    return Next(
        at=job.due_at,
        chosen=chosen,
        seen_at=seen_at,
        hint=hint,
        floor_until=seen_at + hint,
        by_guidance=by_guidance.at,
        plan=plan,
    )


def _choose(settings: Settings, job: Job, seen_at: float, pace: Pace) -> Choice:
    return cadence.next_look(
        now=seen_at,
        guidance=Guidance(job.poll_after),
        deadline=job.deadline_at,
        jitter=MIDDLE,
        errors=job.look_errors,
        when_absent=settings.poll_after_seconds,
        age=seen_at - (job.created_at or seen_at),
        pace=pace,
    )


def _pace(tx: Transaction, settings: Settings, job: Job) -> tuple[Pace, Plan | None]:
    """How the job is looked at, and the plan of its class, also where it does not follow it."""
    if settings.cadence is Cadence.GUIDANCE or job.ending_class is None:
        off = settings.cadence is Cadence.GUIDANCE
        return (Pace(Why.OFF) if off else BY_GUIDANCE), None
    schedule = _schedule(tx, settings, job.ending_class, job.channel)
    paces = Paces({(job.ending_class, job.channel): schedule}, settings.explored_share)
    policy = Policy(settings.poll_after_seconds, settings.uncertain_every_seconds, paces)
    return policy.pace(job), schedule.pace.plan


def _schedule(tx: Transaction, settings: Settings, class_name: str, channel: str | None) -> Schedule:
    """What a worker would follow by now."""
    _, endings = _endings(tx, class_name)
    hooks = None if channel is None else read_hooks(estimates.get(tx, EstimateKind.HOOKS, channel))
    return schedule_of(
        endings,
        hooks,
        now=tx.now,
        floor=settings.poll_after_seconds,
        request_seconds=settings.request_worth_seconds,
        longest=settings.longest_spacing_seconds,
        explored=settings.explored_share,
    )


def _endings(tx: Transaction, class_name: str) -> tuple[str, Endings]:
    """What is known of a class; of all sizes where of its own too few have ended."""
    for name in (class_name, classes.wider(class_name)):
        endings = read_endings(estimates.get(tx, EstimateKind.ENDINGS, name))
        if endings.ended >= ENOUGH_JOBS:
            break
    return name, endings


def _alike(tx: Transaction, job: Job, class_name: str) -> Alike:
    name, endings = _endings(tx, class_name)
    if endings.ended < 1:
        return Alike(name, name != class_name, endings.ended, None, None)
    below = np.cumsum(endings_of(endings)[:BINS])
    quantiles = tuple(float(np.interp(one, below, EDGES[1:])) for one in QUANTILES)
    until = tx.now if job.settled_at is None else job.settled_at
    by_now = float(np.interp(until - (job.created_at or until), EDGES[1:], below))
    return Alike(name, name != class_name, endings.ended, quantiles, by_now)


def _end(tx: Transaction, job: Job, settings: Settings) -> End:
    """What the rows tell of the end; what the gateway says of it is in the answer that settled the job."""
    assert job.created_at is not None
    assert job.settled_at is not None
    timeline = observations.of_job(tx, job.id)
    settling = next((one for one in timeline if one.at >= job.settled_at and one.to_state == job.state), None)
    told = None if settling is None else _read_again(settling)
    source = job.won_by or Source.CLOCK
    seen = told or Observation(source, settling.seen if settling else Seen.COMPLETED)
    low, high = ages_of_end(job, seen, job.settled_at)
    spacing = cadence.floor(Guidance(job.poll_after), settings.poll_after_seconds) * (1.0 + JITTER_SHARE / 2)
    return End(
        won_by=job.won_by,
        age=job.settled_at - job.created_at,
        low=low,
        high=high,
        looks=job.looks,
        by_guidance=max(ceil((low + high) / 2 / spacing), 1),
        hook_after=None if job.hook_at is None else job.hook_at - job.settled_at,
    )


def _read_again(entry: Recorded) -> Observation | None:
    """The observation as it was read then; None where what was received is not kept any more, or cut."""
    if entry.raw is None:
        return None
    received = entry.raw.encode()
    try:
        if entry.source is Source.WEBHOOK:
            return webhooks.parse(received).observation
        data = reading.mapping(reading.decode(received))
    except (reading.Unreadable, webhooks.BadDelivery):
        return None
    if entry.source is Source.POLL:
        return vocabulary.from_look(data, entry.raw)
    return vocabulary.from_list(data) if entry.source is Source.LIST else None
