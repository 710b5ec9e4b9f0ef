"""Why a job is looked at when it is, worked out again from the store, without a worker that runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from orchestrator.core import cadence
from orchestrator.core.cadence import Choice, Guidance
from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.learned import account
from orchestrator.core.learned.estimate import endings_of
from orchestrator.core.learned.grid import BINS, EDGES
from orchestrator.core.learned.hooks import Hooks
from orchestrator.core.learned.lessons import ages_of_end
from orchestrator.core.learned.paces import BY_GUIDANCE, Pace, Why
from orchestrator.core.learned.plan import Plan
from orchestrator.core.lifecycle import SETTLED, Seen, State
from orchestrator.engine import budget, outage, pacing
from orchestrator.engine.context import Context
from orchestrator.engine.pacing import Evidence
from orchestrator.engine.standing import Standing
from orchestrator.gateway import reading, vocabulary, webhooks
from orchestrator.store import observations, tenants
from orchestrator.store.database import Transaction
from orchestrator.store.observations import Recorded

MIDDLE = 0.5  # of the jitter
QUANTILES = (0.1, 0.5, 0.9)
# Of the spacing; what differs from what would be chosen now by more was chosen when other things were known.
JITTERED = 0.08
NOT_BY_PLAN = frozenset({Why.RETRIED, Why.ERRORS, Why.SILENT, Why.NO_DATA, Why.SHADOW, Why.OFF})


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
    by_guidance: float
    hook_after: float | None


@dataclass(frozen=True, slots=True)
class Explained:
    """One job with all that decides, or decided, about its looks."""

    standing: Standing
    alike: Alike | None
    hooks: Hooks | None
    next: Next | None
    end: End | None


def explain(tx: Transaction, context: Context, found: Standing) -> Explained:
    """Why the next look at a job is when it is, or how its end became known."""
    job = found.job
    evidence = _evidence(tx, job)
    ended = job.state in SETTLED and job.created_at is not None and job.settled_at is not None
    return Explained(
        standing=found,
        alike=None if evidence is None else _alike(tx, job, evidence),
        hooks=None if job.channel is None or evidence is None else evidence.hooks,
        next=next_of(tx, context, job),
        end=_end(tx, context, job, evidence) if ended else None,
    )


def next_of(tx: Transaction, context: Context, job: Job) -> Next | None:
    """The next look at a waiting job, and why it is then."""
    if job.state is not State.WAITING or job.due_at is None or job.created_at is None:
        return None
    known = _as_workers_know(tx, context, job)
    schedule = known.paces.schedules.get((job.ending_class or "", job.channel))
    when_absent = context.settings.poll_after_seconds
    seen_at = max(job.created_at, job.last_look_at or 0.0)
    paces = (known.policy.pace(job), BY_GUIDANCE)
    chosen, by_guidance = (_choose(job, seen_at, when_absent, pace) for pace in paces)
    if _left_to_gateway(tx, known, job, job.due_at):
        chosen = Choice(job.due_at, Why.RETRIED)
    elif _without_room(tx, known, job, chosen, seen_at):
        chosen = Choice(job.due_at, Why.NO_ROOM)
    hint = cadence.floor(Guidance(job.poll_after), when_absent)
    return Next(
        at=job.due_at,
        chosen=chosen,
        seen_at=seen_at,
        hint=hint,
        floor_until=seen_at + hint,
        by_guidance=by_guidance.at,
        plan=None if schedule is None else schedule.pace.plan,
    )


def _evidence(tx: Transaction, job: Job) -> Evidence | None:
    """What is known that bears on the job."""
    return None if job.ending_class is None else pacing.read(tx, (job.ending_class, job.channel))


def _choose(job: Job, seen_at: float, when_absent: float, pace: Pace) -> Choice:
    return cadence.next_look(
        now=seen_at,
        guidance=Guidance(job.poll_after),
        deadline=job.deadline_at,
        jitter=MIDDLE,
        errors=job.look_errors,
        when_absent=when_absent,
        age=seen_at - (job.created_at or seen_at),
        pace=pace,
    )


def _as_workers_know(tx: Transaction, context: Context, job: Job) -> Context:
    """The context with what workers know by now of jobs like this one."""
    evidence = _evidence(tx, job)
    if evidence is None or job.ending_class is None:
        return context
    schedule = pacing.schedule(context.settings, evidence, tx.now)
    return replace(
        context, paces=replace(context.paces, schedules={(job.ending_class, job.channel): schedule})
    )


def _left_to_gateway(tx: Transaction, context: Context, job: Job, due_at: float) -> bool:
    """Whether it is due when it is because our receiver was away, and the gateway is about to try again."""
    away = outage.latest(tx)
    until = None if away is None else outage.left_until(context, job, away, tx.now)
    return until is not None and until <= due_at <= until + outage.SPREAD


def _without_room(tx: Transaction, context: Context, job: Job, chosen: Choice, seen_at: float) -> bool:
    """Whether it was to be looked at by now, and was put off since its tenant has a rate of looks."""
    due_at, latest = job.due_at or 0.0, chosen.at + JITTERED * (chosen.at - seen_at) + 1.0
    if not latest < tx.now <= due_at <= tx.now + budget.LONGEST_PUT_OFF:
        return False
    return bool(tenants.look_rates(tx, [job.tenant_id], otherwise=context.settings.looks_per_second))


def _alike(tx: Transaction, job: Job, evidence: Evidence) -> Alike:
    name, ended = evidence.about, evidence.endings.ended
    all_sizes = name != job.ending_class
    if ended < 1:
        return Alike(name, all_sizes, ended, None, None)
    below = np.cumsum(endings_of(evidence.endings)[:BINS])
    quantiles = tuple(float(np.interp(one, below, EDGES[1:])) for one in QUANTILES)
    until = tx.now if job.settled_at is None else job.settled_at
    by_now = float(np.interp(until - (job.created_at or until), EDGES[1:], below))
    return Alike(name, all_sizes, ended, quantiles, by_now)


def _end(tx: Transaction, context: Context, job: Job, evidence: Evidence | None) -> End:
    """What the rows tell of the end; what the gateway says of it is in the answer that settled the job."""
    assert job.created_at is not None
    assert job.settled_at is not None
    timeline = observations.of_job(tx, job.id)
    settling = next((one for one in timeline if one.at >= job.settled_at and one.to_state == job.state), None)
    told = None if settling is None else _read_again(settling)
    source = job.won_by or Source.CLOCK
    seen = told or Observation(source, settling.seen if settling else Seen.COMPLETED)
    low, high = ages_of_end(job, seen, job.settled_at)
    age = job.settled_at - job.created_at
    first = context.settings.poll_after_seconds
    cost = account.by_guidance(
        account.End(low, high, age),
        None if evidence is None or evidence.endings.ended < 1 else endings_of(evidence.endings),
        first=first,
        hint=cadence.floor(Guidance(job.poll_after), first),
    )
    return End(
        won_by=job.won_by,
        age=age,
        low=low,
        high=high,
        looks=job.looks,
        by_guidance=cost.looks,
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
