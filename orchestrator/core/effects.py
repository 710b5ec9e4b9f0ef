"""What an observation changes about a job: its row, its outputs, and what becomes owed for it. Pure.

`lifecycle` says where the job goes; this file says what that means. Due times of looks at a waiting
job are not set here but by whoever looked, except that a job which starts to wait gets its first one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.core import cadence
from orchestrator.core.blame import Fault
from orchestrator.core.job import Job, Observation, OutputSeen, Owed, Source, Updates, session_of
from orchestrator.core.learned.classes import class_of
from orchestrator.core.learned.paces import Pace, Paces, Why
from orchestrator.core.lifecycle import LIVE_NEGATIVE, SETTLED, Seen, State, Step, Verdict, step
from orchestrator.core.owed import owed_completed, owed_outcome

DETAIL_TRIES = 3  # looks spent on a settled job to learn its outputs or its reason
DETAIL_PATIENCE = 120.0  # seconds that an outcome without a reason waits for it at most
CREATE_RETRY = {"first": 2.0, "ceiling": 120.0}

_ABOUT_AN_ATTEMPT = frozenset({Seen.REFUSED, Seen.NO_JOB, Seen.LOST})
_ENDED = LIVE_NEGATIVE | {Seen.COMPLETED, Seen.FAILED_STORED, Seen.CANCELLED_STORED, Seen.EXPIRED_STORED}
_HAS_REASON = frozenset({State.FAILED, State.CANCELLED, State.EXPIRED})
_BLAME = {
    State.FAILED: Fault.PROVIDER,
    State.CANCELLED: Fault.PROVIDER,
    State.EXPIRED: Fault.PROVIDER,
    State.REJECTED: Fault.REQUEST,
    State.TIMED_OUT: Fault.DEADLINE,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What decides about due times, in seconds, and about what is owed: settings, and what was learned."""

    poll_after: float = cadence.GUIDANCE_WHEN_ABSENT
    uncertain_every: float = 5.0
    paces: Paces = field(default_factory=Paces)
    keep_outputs: bool = True

    def pace(self, job: Job) -> Pace:
        """How a job is looked at."""
        if job.updates is Updates.SHADOW:
            return Pace(Why.SHADOW)
        return self.paces.of(job.id, job.ending_class, job.channel)


@dataclass(frozen=True, slots=True)
class Effect:
    """What to write. `keep`: the observation goes on the timeline. `hasten`: what is owed is due now."""

    step: Step
    changes: dict[str, Any]
    keep: bool
    outputs: tuple[OutputSeen, ...] = ()
    owed: tuple[Owed, ...] = ()
    hasten: bool = False


def effect_of(job: Job, seen: Observation, *, now: float, jitter: float, policy: Policy) -> Effect:
    """What `seen` changes about `job`. `jitter` is a random number in [0, 1)."""
    taken = _step(job, seen)
    changes = _counters(job, seen, taken, now) | _facts(job, seen, taken)
    if taken.verdict is Verdict.MOVED:
        effect = _moved(_after(job, changes), seen, taken, now, jitter, policy)
    elif job.detail_tries and seen.source in (Source.POLL, Source.LIST):
        effect = _detailed(_after(job, changes), seen, taken, now, policy)
    else:
        answered = seen.source is Source.CREATE and taken.verdict is Verdict.KNOWN
        placed = _placed_anew(_after(job, changes), seen, now, jitter, policy) if answered else {}
        effect = Effect(taken, placed, keep=bool(placed) or _is_news(job, seen, taken, changes))
    return replace(effect, changes=changes | effect.changes)


def give_up_detail(job: Job, *, now: float, policy: Policy) -> Effect:
    """No look could tell more about a settled job: go on with what is known."""
    outputs = tuple(OutputSeen(index) for index in range(job.sample_count))
    known = Step(job.state, Verdict.KNOWN)
    return _with_detail(job, known, outputs if job.state is State.COMPLETED else (), now, policy)


def _after(job: Job, changes: dict[str, Any]) -> Job:
    """The job as it will be once the changes are written."""
    return replace(job, **changes)


def _step(job: Job, seen: Observation) -> Step:
    other = seen.gateway_id and job.gateway_id and seen.gateway_id != job.gateway_id
    if other and not job.unconfirmed:
        return Step(job.state, Verdict.CLASH)  # a second job of the gateway's for one of ours
    stale = seen.attempt_id is not None and seen.attempt_id != job.session_id
    if stale and seen.seen in _ABOUT_AN_ATTEMPT:
        return Step(job.state, Verdict.LATE)
    if _only_scored(job, seen):
        return Step(job.state, Verdict.SCORED)
    return step(job.state, seen.seen)


def _only_scored(job: Job, seen: Observation) -> bool:
    """In shadow mode polling alone decides; but a webhook that tells what a create made is worth money."""
    told = job.state is State.WAITING and seen.source is Source.WEBHOOK
    return told and job.updates is Updates.SHADOW


def _counters(job: Job, seen: Observation, taken: Step, now: float) -> dict[str, Any]:
    counters: dict[str, Any] = {}
    if seen.source is Source.WEBHOOK:
        counters["webhooks"] = job.webhooks + 1
        if seen.seen in _ENDED and job.hook_at is None and taken.verdict is not Verdict.CLASH:
            counters["hook_at"] = now
    if seen.source is Source.POLL:
        counters |= {"looks": job.looks + 1, "look_errors": 0, "look_error": None, "last_look_at": now}
        counters["poll_after"] = cadence.kept_hint(cadence.Guidance(seen.poll_after, seen.retry_after))
        if seen.seen is Seen.OPEN:
            counters["seen_running_at"] = now
    if taken.verdict is Verdict.CLASH:
        counters["clashes"] = job.clashes + 1
    return counters


def _facts(job: Job, seen: Observation, taken: Step) -> dict[str, Any]:
    """What the gateway told about the job besides its state."""
    if taken.verdict in (Verdict.CLASH, Verdict.LATE, Verdict.SCORED):
        late_id = taken.verdict is Verdict.LATE and seen.gateway_id and not job.gateway_id
        return {"gateway_id": seen.gateway_id} if late_id else {}
    told = {
        "gateway_id": seen.gateway_id,
        "provider": seen.provider,
        "model": seen.model,
        "cost_usd": seen.cost_usd,
        "request_id": seen.request_id,
        "gateway_status": seen.status,
        "failure": seen.failure and seen.failure.as_json(),
    }
    facts: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if seen.hooked is not None:
        facts["hooked"] = seen.hooked
    if seen.gateway_id:
        facts["unconfirmed"] = seen.seen is Seen.ADOPT
    if taken.to is State.COMPLETED:
        facts["progress"] = 100
    elif seen.progress is not None:
        facts["progress"] = max(job.progress, seen.progress)
    if taken.confirm:
        facts["suspicion"] = seen.seen
    elif seen.seen is Seen.OPEN and seen.source is Source.POLL and job.suspicion:
        facts |= {"suspicion": None, "failure": None}  # the provider took it back
    return facts


def _is_news(job: Job, seen: Observation, taken: Step, changes: dict[str, Any]) -> bool:
    if seen.repeated:
        return False
    if taken.verdict is not Verdict.KNOWN or seen.source in (Source.WEBHOOK, Source.OPERATOR):
        return True
    # While a suspicion stands, looks and the list tell different states in turn: no news.
    told = ("suspicion", "failure") if job.suspicion else ("gateway_status", "suspicion", "failure")
    return any(name in changes and changes[name] != getattr(job, name) for name in told)


def _moved(job: Job, seen: Observation, taken: Step, now: float, jitter: float, policy: Policy) -> Effect:
    changes: dict[str, Any] = {"state": taken.to, "state_since": now, "due_at": None, "needs_person": False}
    if taken.to is not State.CREATING:
        # Whoever held the job worked on what it was before.
        changes |= {"leased_by": None, "lease_until": None, "fence": job.fence + 1}
    effect = Effect(taken, changes, keep=True)
    if taken.to in SETTLED:
        return _settled(job, seen, effect, now, policy)
    if taken.to is State.CREATING:
        changes |= {"attempts": job.attempts + 1, "session_id": session_of(job.id, job.attempts + 1)}
    elif taken.to is State.ACCEPTED:
        wait = max(cadence.retry_in(job.attempts, **CREATE_RETRY, jitter=jitter), seen.retry_after or 0.0)
        # At the deadline whoever takes it finds it late, however long the gateway wants to be left alone.
        risked = seen.seen is Seen.RESUBMIT
        changes["due_at"] = now if risked else min(now + wait, job.deadline_at)
        changes["resubmitted"] = job.resubmitted or risked
    elif taken.to is State.UNCERTAIN:
        changes |= {"due_at": now + policy.uncertain_every, "blame": Fault.UNCERTAIN_CREATE}
    elif taken.to is State.WAITING:
        changes |= _waits(job, seen, taken, now, jitter, policy)
    return effect


def _waits(
    job: Job, seen: Observation, taken: Step, now: float, jitter: float, policy: Policy
) -> dict[str, Any]:
    """The gateway has it: a first look is due, and nothing of an earlier attempt or end is left."""
    ending_class = class_of(job.request, job.provider)
    first = _first_look(replace(job, ending_class=ending_class, created_at=now), seen, now, jitter, policy)
    adopted = seen.seen is Seen.ADOPT
    changes: dict[str, Any] = {"created_at": now, "blame": None, "settled_at": None, "won_by": None}
    changes |= {"ending_class": ending_class, "hook_at": None, "hook_missed": False, "seen_running_at": None}
    changes["due_at"] = now if taken.confirm or adopted else first  # an adopted one may have ended long ago
    if adopted and now >= job.deadline_at:
        changes["deadline_at"] = now + (job.deadline_at - job.accepted_at)
    if not (taken.confirm and seen.failure):
        changes["failure"] = None
    return changes


def _placed_anew(job: Job, seen: Observation, now: float, jitter: float, policy: Policy) -> dict[str, Any]:
    """A webhook may tell of the create before its answer comes, to a process that has learned nothing.

    Whoever has the answer places the first look again: later than the guidance, by what it has learned.
    """
    placed = job.state is State.WAITING and job.due_at is not None and job.due_at > now and not job.looks
    if not placed or policy.pace(job).plan is None:
        return {}
    return {"due_at": _first_look(job, seen, now, jitter, policy)}


def _first_look(job: Job, seen: Observation, now: float, jitter: float, policy: Policy) -> float:
    return cadence.next_look(
        now=now,
        guidance=cadence.Guidance(seen.poll_after, seen.retry_after),
        deadline=job.deadline_at,
        jitter=jitter,
        when_absent=policy.poll_after,
        age=now - (job.created_at or now),
        pace=policy.pace(job),
    ).at


def _settled(job: Job, seen: Observation, effect: Effect, now: float, policy: Policy) -> Effect:
    to = effect.step.to
    changes = effect.changes | {"settled_at": now, "won_by": seen.source, "suspicion": None}
    changes["blame"] = seen.blame or _blame(job, seen, to)
    if to is State.COMPLETED:
        changes["failure"] = None
        return _completed(job, seen, replace(effect, changes=changes), now, policy)
    # A webhook carries no reason; a live look that raised a suspicion has told what there is to tell.
    told = seen.failure or job.suspicion or seen.seen is Seen.CANCEL
    lacking = to in _HAS_REASON and not told
    if lacking:
        changes |= {"failure": None, "detail_tries": DETAIL_TRIES, "due_at": now}
    owed = owed_outcome(job, to, now + DETAIL_PATIENCE if lacking else now)
    unwanted = job.cancel_requested_at and seen.seen is not Seen.CANCEL
    return replace(effect, changes=changes, owed=() if unwanted else tuple(owed))


def _completed(job: Job, seen: Observation, effect: Effect, now: float, policy: Policy) -> Effect:
    if seen.outputs is None and job.sample_count > 1:
        return replace(effect, changes=effect.changes | {"detail_tries": DETAIL_TRIES, "due_at": now})
    return _with_outputs(job, effect, seen.outputs or (), now, policy)


def _blame(job: Job, seen: Observation, to: State) -> Fault | None:
    if seen.seen is Seen.CANCEL:
        return Fault.CALLER
    if to is State.TIMED_OUT and job.state is State.UNCERTAIN:
        return Fault.UNCERTAIN_CREATE
    return _BLAME.get(to)


def _detailed(job: Job, seen: Observation, taken: Step, now: float, policy: Policy) -> Effect:
    """A look at a settled job told what was missing, or at least that it will not tell more."""
    if job.state is State.COMPLETED and seen.outputs is None:
        return Effect(taken, {}, keep=False)
    if job.state is not State.COMPLETED and seen.source is Source.LIST and not seen.failure:
        return Effect(taken, {}, keep=False)  # the list never carries a reason
    return _with_detail(job, taken, seen.outputs or (), now, policy, keep=True)


def _with_detail(
    job: Job,
    taken: Step,
    outputs: tuple[OutputSeen, ...],
    now: float,
    policy: Policy,
    *,
    keep: bool = False,
) -> Effect:
    effect = Effect(taken, {"detail_tries": 0, "due_at": None}, keep=keep)
    if job.state is State.COMPLETED:
        return _with_outputs(job, effect, outputs, now, policy)
    return replace(effect, hasten=True)


def _with_outputs(
    job: Job, effect: Effect, outputs: tuple[OutputSeen, ...], now: float, policy: Policy
) -> Effect:
    # Some providers complete with `outputs: []` although the content is there: it means one.
    learned = outputs or (OutputSeen(0),)
    owed = owed_completed(job, learned, now, keep_outputs=policy.keep_outputs)
    return replace(effect, outputs=learned, owed=() if job.cancel_requested_at else tuple(owed))
