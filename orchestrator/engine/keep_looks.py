"""What looks learned, on its way into the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core import cadence, effects, evidence
from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.lifecycle import SETTLED, Seen, State, Verdict
from orchestrator.core.support import without_request
from orchestrator.engine import budget, outage, spans, telling
from orchestrator.engine.alone import BROKEN
from orchestrator.engine.answer import Answer
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.observe import carry_out, observe, observe_held, write
from orchestrator.errors import AccountUnusable, BadAnswer
from orchestrator.store import due_jobs, faults, jobs
from orchestrator.store.database import Transaction
from orchestrator.store.faults import Whose
from orchestrator.telemetry import Event, log

Looked = tuple[Job, Answer]

_COUNTERS = {
    "looks",
    "look_errors",
    "look_error",
    "last_look_at",
    "poll_after",
    "progress",
    "seen_running_at",
}


@dataclass(slots=True)
class _Round:
    """What one look learned, on its way into the store."""

    unchanged: list[dict[str, Any]] = field(default_factory=list)
    follow_ups: list[FollowUp] = field(default_factory=list)
    met: list[Whose] = field(default_factory=list)


def changed_nothing(context: Context, now: float, job: Job, answer: Answer) -> bool:
    """Whether counters are all that moves: the usual case, written for all such jobs in one statement."""
    if job.state is not State.WAITING or now >= job.deadline_at:
        return False
    if answer.believed:
        return answer.seen[0].status in (job.gateway_status, None)
    if not answer.asked:
        return False
    if not answer.seen:
        return answer.error is not None
    if (
        len(answer.seen) > 1
        or answer.seen[0].seen is not Seen.OPEN
        or answer.seen[0].source is not Source.POLL
    ):
        return False
    effect = effects.effect_of(job, answer.seen[0], now=now, jitter=0.0, policy=context.policy)
    changed = {name for name, value in effect.changes.items() if getattr(job, name) != value}
    return not effect.keep and effect.step.verdict is Verdict.KNOWN and changed <= _COUNTERS


def keep_usual(context: Context, tx: Transaction, answered: Sequence[Looked]) -> list[FollowUp]:
    """Keep looks that changed nothing, all of them in the same statements."""
    done = _Round()
    waits = [(job, answer.put_off) for job, answer in answered if answer.put_off is not None]
    for job, answer in answered:  # before they are held: a webhook would wait for all of this
        if answer.put_off is None:
            _say_failure(context, job, answer)
            _count(context, tx, job, answer, done)
    jobs.hold(tx, [job.id for job, _ in answered])
    done.follow_ups += budget.put_off(tx, waits)
    _end_round(tx, answered, done)
    return done.follow_ups


def keep_changed(context: Context, tx: Transaction, answered: Sequence[Looked]) -> list[FollowUp]:
    """Keep the others: those that brought one thing in the same statements, each of the rest by itself."""
    done = _Round()
    for job, answer in answered:  # before they are held, as above
        _say_failure(context, job, answer)
    jobs.hold(tx, [job.id for job, _ in answered])
    plain = [pair for pair in answered if _is_plain(tx, *pair)]
    applied = len(plain) > 1 and _apply_all(context, tx, plain, done)
    for pair in sorted(answered, key=lambda pair: pair[0].id):
        if not (applied and pair in plain):
            _apply_alone(context, tx, *pair, done)
    _end_round(tx, answered, done)
    return done.follow_ups


def _say_failure(context: Context, job: Job, answer: Answer) -> None:
    if answer.error is not None and answer.asked:
        why = without_request(answer.error.message, job.request)
        failed = {"error": why} | spans.traced(context, job)
        log(Event.LOOK_FAILED, job=job.id, level=logging.WARNING, **failed)


def _end_round(tx: Transaction, answered: Sequence[Looked], done: _Round) -> None:
    outage.learn(tx, [seen for _, answer in answered for seen in answer.seen])
    counted = due_jobs.note_looks(tx, done.unchanged)
    # Told by a webhook meanwhile, or taken by somebody else: what was asked was asked all the same.
    due_jobs.count_looks(tx, {one["id"] for one in done.unchanged if one["looks"]} - counted)
    faults.note_all(tx, done.met)
    telling.got_further(tx, [job for job, _ in answered], done.unchanged, counted)


def _is_plain(tx: Transaction, job: Job, answer: Answer) -> bool:
    """Whether it is one thing that was seen of a job that waits, so that it can be applied with others."""
    waits = job.state is State.WAITING and tx.now < job.deadline_at
    return waits and answer.error is None and not answer.believed and len(answer.seen) == 1


def _apply_all(context: Context, tx: Transaction, answered: Sequence[Looked], done: _Round) -> bool:
    """Apply what was seen of jobs that are held, all in the same statements; False: nothing was applied."""
    names = [job.id for job, _ in answered]
    follow_ups: list[FollowUp] = []
    try:
        with tx.part():
            now = jobs.get_all(tx, names)
            seen = [(now[job.id], answer.seen[0]) for job, answer in answered]
            follow_ups += [one for its in observe_held(context, tx, seen) for one in its]
            after = jobs.get_all(tx, names)
            freed = []
            for job, answer in answered:
                due_at = after[job.id].due_at
                changes = _due_after(context, tx, after[job.id], answer, follow_ups)
                lease = {"id": job.id, "fence": job.fence, "leased_by": job.leased_by}
                freed.append(lease | {"due_at": due_at} | changes)
            due_jobs.put_off_looks(tx, freed)
    except BROKEN:
        return False  # whichever broke it does so alone, and is told of
    done.follow_ups += follow_ups
    return True


def _due_after(
    context: Context, tx: Transaction, after: Job, answer: Answer, follow_ups: list[FollowUp]
) -> dict[str, float | None]:
    """When the job is to be looked at again, where that is for this look to say."""
    if after.state is State.WAITING:
        due_at = _next_look(context, tx, after, answer, after.look_errors)
        follow_ups.append(FollowUp(Task.LOOK, due_at - tx.now))
        return {"due_at": due_at}
    if after.state in SETTLED and not after.detail_tries:
        return {"due_at": None}  # nothing is missing, whatever made it due
    return {}


def _apply_alone(context: Context, tx: Transaction, job: Job, answer: Answer, done: _Round) -> None:
    """What cannot be kept of one job costs none of the others what was learned about them."""
    alone = _Round()
    try:
        with tx.part():
            _apply(context, tx, job, answer, alone)
    except BROKEN as error:
        log(Event.LOOK_BROKE, job=job.id, level=logging.ERROR, error=str(error))
        broke = BadAnswer("the answer could not be kept: the log has a line `look_broke`")
        _count(context, tx, job, Answer([], broke, asked=True), done)
    else:
        done.follow_ups += alone.follow_ups
        done.met += alone.met


def _count(context: Context, tx: Transaction, job: Job, answer: Answer, done: _Round) -> None:
    seen = answer.seen[0] if answer.seen else None
    errors = job.look_errors + 1 if answer.error else 0
    _note_failure(job, answer, done)
    due_at = _next_look(context, tx, job, answer, errors)
    done.unchanged.append(
        {
            "id": job.id,
            "fence": job.fence,
            "leased_by": job.leased_by,
            "looks": 0 if answer.believed else 1,  # as many as requests were sent
            "look_errors": errors,
            "look_error": answer.error.message if answer.error else None,
            "poll_after": _wished(job, answer),
            "progress": max(job.progress, seen.progress or 0) if seen else job.progress,
            "due_at": due_at,
            "seen_running_at": tx.now if seen else job.seen_running_at,
        }
    )
    done.follow_ups.append(FollowUp(Task.LOOK, due_at - tx.now))


def _note_failure(job: Job, answer: Answer, done: _Round) -> None:
    """Of several failures in a row the first is noted: however long they last, a job has one row of them."""
    if answer.error is not None and answer.asked and not job.look_errors:
        done.met.append(Whose(job.id, job.tenant_id, evidence.of_failed_look(answer.error)))


def _hint(seen: Observation) -> float | None:
    return cadence.kept_hint(cadence.Guidance(seen.poll_after, seen.retry_after))


def _apply(context: Context, tx: Transaction, job: Job, answer: Answer, done: _Round) -> None:
    _note_failure(job, answer, done)
    if answer.error is not None and answer.asked:
        counted = {"looks": job.looks + 1, "last_look_at": tx.now}
        failed = {"look_errors": job.look_errors + 1, "look_error": answer.error.message}
        jobs.note(tx, job.id, counted | failed)
    elif isinstance(answer.error, AccountUnusable):  # nobody was asked, and somebody must mend it
        jobs.note(tx, job.id, {"look_errors": job.look_errors + 1, "look_error": answer.error.message})
    elif answer.believed:
        jobs.note(tx, job.id, {"last_look_at": tx.now, "seen_running_at": tx.now})
    for seen in answer.seen:
        done.follow_ups += observe(context, tx, job.id, seen)
    after = jobs.require(tx, job.id)
    if after.state is State.WAITING and tx.now >= after.deadline_at:
        done.follow_ups += observe(context, tx, job.id, Observation(Source.CLOCK, Seen.DEADLINE))
        after = jobs.require(tx, job.id)
    changes: dict[str, Any] = {**_due_after(context, tx, after, answer, done.follow_ups)}
    if not changes and after.detail_tries and job.state in SETTLED:
        done.follow_ups += _try_detail_again(context, tx, after, changes, asked=answer.asked)
    due_jobs.release_if_ours(tx, job, changes)


def _try_detail_again(
    context: Context, tx: Transaction, job: Job, changes: dict[str, Any], *, asked: bool
) -> list[FollowUp]:
    """A look at a settled job did not tell what is missing: look again, or go on without."""
    if job.detail_tries > 1 or not asked:
        guidance = cadence.Guidance(job.poll_after)
        wait = cadence.spacing(guidance, 0, context.settings.poll_after_seconds)
        changes |= {"detail_tries": job.detail_tries - asked, "due_at": tx.now + wait}
        return [FollowUp(Task.LOOK, wait)]
    effect = effects.give_up_detail(job, now=tx.now, policy=context.policy)
    # Moved by somebody else since it was claimed: then they have decided, and owe what follows.
    return carry_out(context, tx, job, effect) if write(tx, job, effect) else []


def _wished(job: Job, answer: Answer) -> float | None:
    """The spacing that the gateway wished last. A list counts where it names one, as a GET always does."""
    told = [seen for seen in answer.seen if seen.source is Source.POLL]
    if told:
        return _hint(told[-1])
    return (answer.seen[-1].poll_after if answer.believed else None) or job.poll_after


def _next_look(context: Context, tx: Transaction, job: Job, answer: Answer, errors: int) -> float:
    told = [seen for seen in answer.seen if seen.source is Source.POLL]
    retry_after = answer.error.retry.after if answer.error else None
    if not answer.asked:
        errors = 0  # the breaker's wait is long enough: doubled, it would outlast the outage by minutes
    guidance = cadence.Guidance(
        poll_after=_wished(job, answer),
        retry_after=max(retry_after or 0.0, told[-1].retry_after or 0.0 if told else 0.0),
    )
    return cadence.next_look(
        now=tx.now,
        guidance=guidance,
        deadline=job.deadline_at,
        jitter=context.random(),
        errors=errors,
        when_absent=context.settings.poll_after_seconds,
        age=tx.now - (job.created_at or tx.now),
        pace=context.policy.pace(job),
    ).at
