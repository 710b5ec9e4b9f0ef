"""Asking the gateway to make a job, without ever asking twice by mistake (design 5).

The gateway has no idempotency key. So `creating` is committed first, with a session id of its own;
whatever happens afterwards, that id tells which gateway job came of this attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from orchestrator import metrics
from orchestrator.core.blame import Fault, Met
from orchestrator.core.job import Job, Observation, Source, Updates
from orchestrator.core.lifecycle import Seen, State
from orchestrator.core.tracing import Part
from orchestrator.engine import brake, spans
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.observe import observe_held
from orchestrator.errors import AccountUnusable, StoreError
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway.create_answer import CreateAnswer, CreateClass, no_answer
from orchestrator.store import due_jobs, faults, jobs
from orchestrator.store.database import Transaction
from orchestrator.telemetry import Event, log

# `created` brings the session id of a job whose create answer was lost; `expired` is not sent unasked.
EVENTS = ("video.created", "video.completed", "video.failed", "video.cancelled", "video.expired")

_ENDPOINT_REFUSED = Met(
    Fault.HOOK_NOT_SENT, "the gateway refused our webhook endpoint when the job was created"
)

KEEP_TRIES = 150
KEEP_AGAIN_AFTER = 2.0  # seconds
PUT_OFF_FOR = 0.25  # seconds at least: what waits longest comes a little early, and must not be due at once
ABANDONED_AFTER = 60.0  # seconds beyond the call's own deadline

# A job whose attempt began, and what follows: None where nothing was due.
_Begun = tuple[Job | None, list[FollowUp] | None]


def create(context: Context) -> list[FollowUp] | None:
    """Create one accepted job that is due; None when none is."""
    job, follow_ups = context.creates_begun.do(None, partial(begin_all, context))
    if job is None:
        return follow_ups
    with context.held.working([job]):
        return _create(context, job)


def _create(context: Context, job: Job) -> list[FollowUp]:
    reach(FaultPoint.CREATE_CLAIMED)
    asked_at = context.clock()
    answer = _ask(context, job)
    metrics.CREATES.labels(answer.kind).observe(context.clock() - asked_at)
    reach(FaultPoint.CREATE_ANSWERED)
    follow_ups = _keep_surely(context, job, answer)
    reach(FaultPoint.CREATE_COMMITTED)
    return follow_ups


def _ask(context: Context, job: Job) -> CreateAnswer:
    try:
        gateway = context.gateways[job.account_id]
    except (AccountUnusable, StoreError) as error:  # while nothing was sent
        return no_answer(CreateClass.UNSENT, "; ".join(filter(None, (error.message, error.hint))))
    events = EVENTS if job.updates is not Updates.POLL and not job.without_webhook else None
    traceparent = spans.outgoing(context, job, Part.CREATE, job.session_id)
    asked = gateway.create(
        job.request, session_id=job.session_id, webhook_events=events, traceparent=traceparent
    )
    return context.http.run(asked)


def begin_all(context: Context, asked: Sequence[None]) -> list[_Begun]:
    """Claim as many jobs as are asked for, and let their attempts begin, in one transaction."""
    # Shorter than an answer may wait for the database: given up for lost meanwhile, it is late, not wrong.
    lease = context.settings.create_timeout_seconds + ABANDONED_AFTER
    try:
        with context.store.write(yields=True) as tx:  # what ends is handed on first
            claimed = due_jobs.claim(
                tx,
                due_jobs.CREATES,
                worker=context.worker,
                limit=len(asked),
                lease=lease,
                turns=context.turns,
            )
            begun = _begin_claimed(context, tx, claimed)
    except StoreError:
        context.held.doubt()  # the commit may have come about
        raise
    return begun + [(None, None)] * (len(asked) - len(begun))


def _begin_claimed(context: Context, tx: Transaction, claimed: Sequence[Job]) -> list[_Begun]:
    unlimited = brake.unlimited(context, tx, {job.tenant_id for job in claimed})
    begun: list[_Begun] = []
    together: list[tuple[Job, Observation]] = []
    for job in sorted(claimed, key=lambda job: job.tenant_id):  # in this order tenants are held
        attempt = _attempt(job, tx.now)
        limited = job.tenant_id not in unlimited
        waits = _waits(context, tx, job, limited=limited) if attempt.seen is Seen.ATTEMPT else None
        if waits is not None:
            begun.append((None, waits))
        elif limited:  # at once: whoever counts its tenant's open jobs next counts this one
            begun += _move(context, tx, [(job, attempt)])
        else:
            together.append((job, attempt))
    return begun + _move(context, tx, together)


def _waits(context: Context, tx: Transaction, job: Job, *, limited: bool) -> list[FollowUp] | None:
    """Give the job back where no attempt may begin now; None where one may."""
    held = brake.held(context, tx, job) if limited else None
    if held is None and not context.breakers.allows(tx.now, (job.account_id, None)):
        return _put_off(context, tx, job)
    return held


def _move(context: Context, tx: Transaction, attempts: Sequence[tuple[Job, Observation]]) -> list[_Begun]:
    follow_ups = observe_held(context, tx, attempts)  # by their claim
    moved = jobs.get_all(tx, [job.id for job, _ in attempts])
    now = [moved[job.id] for job, _ in attempts]
    return [
        (job if job.state is State.CREATING else None, its) for job, its in zip(now, follow_ups, strict=True)
    ]


def _put_off(context: Context, tx: Transaction, job: Job) -> list[FollowUp]:
    """While the whole gateway fails, a create would only become uncertain: this one, and all that are due."""
    wait = max(context.breakers.wait(tx.now, (job.account_id, None)), PUT_OFF_FOR)
    due_jobs.release_if_ours(tx, job, {})
    due_jobs.put_off_creates(tx, job, until=tx.now + wait)
    return [FollowUp(Task.CREATE, wait)]


def _attempt(job: Job, now: float) -> Observation:
    """That an attempt begins, or why there will be no further one."""
    if job.cancel_requested_at is not None:  # while an attempt was under way that made nothing
        return Observation(Source.OPERATOR, Seen.CANCEL)
    if now >= job.deadline_at:
        return Observation(Source.CLOCK, Seen.DEADLINE)
    return Observation(Source.CREATE, Seen.ATTEMPT)


def _keep(context: Context, job: Job, answer: CreateAnswer) -> list[FollowUp]:
    follow_ups, now = context.creates_kept.do((job, answer), partial(keep_all, context))
    _tell(context, job, answer, now)
    return follow_ups


def keep_all(
    context: Context, answered: Sequence[tuple[Job, CreateAnswer]]
) -> list[tuple[list[FollowUp], float] | None]:
    """Keep answers, in one transaction; None for one whose job somebody holds, where there are several."""
    with context.store.write() as tx:
        if len(answered) == 1:
            held = {job.id: jobs.lock(tx, job.id) for job, _ in answered}
        else:
            held = jobs.hold_free(tx, [job.id for job, _ in answered])
        by_job = {job.id: (job, answer) for job, answer in answered if job.id in held}
        for job, answer in by_job.values():
            _tell_breaker(context, job, answer, tx.now)
        seen = [(held[name], _seen(*by_job[name])) for name in sorted(by_job)]
        follow_ups = dict(zip(sorted(by_job), observe_held(context, tx, seen), strict=True))
        for job, answer in by_job.values():
            if answer.webhook_refused:
                _note_refused(context, tx, job)
    return [
        (follow_ups[job.id], tx.now) if by_job.get(job.id) == (job, answer) else None
        for job, answer in answered
    ]


def _seen(job: Job, answer: CreateAnswer) -> Observation:
    seen = replace(answer.observation, attempt_id=job.session_id)
    if answer.webhook_refused:
        return replace(seen, note="the gateway refused our webhook endpoint; asked again without it")
    return seen


def _note_refused(context: Context, tx: Transaction, job: Job) -> None:
    jobs.note(tx, job.id, {"without_webhook": True})
    faults.note(tx, job, _ENDPOINT_REFUSED)
    refused = partial(log, Event.WEBHOOK_REFUSED, job=job.id, level=logging.WARNING)
    tx.after_commit.append(partial(refused, **spans.traced(context, job)))


def _tell(context: Context, job: Job, answer: CreateAnswer, now: float) -> None:
    failure = answer.observation.failure
    failed = None if answer.kind is CreateClass.CREATED else failure.message if failure else answer.kind
    facts = {"result": answer.kind, "gateway_id": answer.observation.gateway_id, "attempt": job.attempts}
    began = job.state_since  # it was moved to `creating` when the attempt began
    spans.tell(context, job, Part.CREATE, job.session_id, began, now, failed=failed, called=True, **facts)


def _tell_breaker(context: Context, job: Job, answer: CreateAnswer, now: float) -> None:
    """An answer in the gateway's own words, whatever it says, shows that the gateway works."""
    failure = answer.observation.failure
    wordless = failure is None or failure.code is None
    if answer.kind is CreateClass.UNSENT or (answer.kind is CreateClass.UNCERTAIN and wordless):
        context.breakers.failed((job.account_id, None), now)
    else:
        context.breakers.worked((job.account_id, None))


def _keep_surely(context: Context, job: Job, answer: CreateAnswer) -> list[FollowUp]:
    """A paid job's id is not let go because the database is away for some minutes."""
    for _ in range(KEEP_TRIES - 1):
        try:
            return _keep(context, job, answer)
        except StoreError as error:
            log(Event.STORE_FAILED, job=job.id, level=logging.ERROR, error=error.message, hint=error.hint)
            context.pause(KEEP_AGAIN_AFTER)
    return _keep(context, job, answer)
