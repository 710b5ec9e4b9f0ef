"""Asking the gateway to make a job, without ever asking twice by mistake (design 5).

The gateway has no idempotency key. So `creating` is committed first, with a session id of its own;
whatever happens afterwards, that id tells which gateway job came of this attempt.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from orchestrator.core.job import Job, Observation, Source, Updates
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.observe import observe
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway.create_answer import CreateAnswer
from orchestrator.store import jobs
from orchestrator.telemetry import Event, log

# `created` brings the session id of a job whose create answer was lost; `expired` is not sent unasked.
EVENTS = ("video.created", "video.completed", "video.failed", "video.cancelled", "video.expired")


def create(context: Context) -> list[FollowUp] | None:
    """Create one accepted job that is due; None when none is."""
    job, follow_ups = _claim(context)
    if job is None:
        return follow_ups
    reach(FaultPoint.CREATE_CLAIMED)
    answer = context.http.run(
        context.gateways[job.account_id].create(
            job.request, session_id=job.session_id, webhook_events=_events(context, job)
        )
    )
    reach(FaultPoint.CREATE_ANSWERED)
    follow_ups = _keep(context, job, answer)
    reach(FaultPoint.CREATE_COMMITTED)
    return follow_ups


def _claim(context: Context) -> tuple[Job | None, list[FollowUp] | None]:
    # Twice, since a webhook that the gateway refuses is followed by one more call without it.
    lease = 2 * context.settings.create_timeout_seconds + 30.0
    with context.store.write() as tx:
        claimed = jobs.claim_due(tx, [State.ACCEPTED], worker=context.worker, limit=1, lease=lease)
        if not claimed:
            return None, None
        job = claimed[0]
        follow_ups = observe(context, tx, job.id, _attempt(job, tx.now))
        moved = jobs.get(tx, job.id)
        if moved is None or moved.state is not State.CREATING:
            jobs.release_if_ours(tx, job, {})
            return None, follow_ups
        return moved, follow_ups


def _attempt(job: Job, now: float) -> Observation:
    """That an attempt begins, or why there will be no further one."""
    if job.cancel_requested_at is not None:  # while an attempt was under way that made nothing
        return Observation(Source.OPERATOR, Seen.CANCEL)
    if now >= job.deadline_at:
        return Observation(Source.CLOCK, Seen.DEADLINE)
    return Observation(Source.CREATE, Seen.ATTEMPT)


def _keep(context: Context, job: Job, answer: CreateAnswer) -> list[FollowUp]:
    seen = replace(answer.observation, attempt_id=job.session_id)
    if answer.retry_after is not None:
        seen = replace(seen, retry_after=answer.retry_after)
    if answer.webhook_refused:
        seen = replace(seen, note="the gateway refused our webhook endpoint; asked again without it")
        log(Event.WEBHOOK_REFUSED, job=job.id, level=logging.WARNING)
    with context.store.write() as tx:
        follow_ups = observe(context, tx, job.id, seen)
        if answer.webhook_refused:
            jobs.note(tx, job.id, {"without_webhook": True})
        jobs.release_if_ours(tx, job, {})
    return follow_ups


def _events(context: Context, job: Job) -> tuple[str, ...] | None:
    wanted = job.updates is Updates.HYBRID and not job.without_webhook
    return EVENTS if wanted and context.settings.webhook_endpoint_id else None
