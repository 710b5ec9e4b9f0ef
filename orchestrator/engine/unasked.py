"""Ends that a list shows of jobs which it was not read for: they are settled by it too, before they are due.

Not those whose webhook is awaited, unless webhooks have stopped: it may come at this moment, and whether it
does, and how soon, is what is to be learned. Nobody asks a provider for this, so the gateway's hint is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.core.job import Job, Observation
from orchestrator.core.learned.paces import Why
from orchestrator.engine.alone import alone
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.observe import observe
from orchestrator.store import jobs
from orchestrator.telemetry import Event


def settle(context: Context, account_id: str, ends: Sequence[Observation]) -> list[FollowUp]:
    """Settle the jobs among them that still wait."""
    told = {seen.gateway_id: seen for seen in ends if seen.gateway_id is not None}
    with context.store.read() as tx:
        waiting = [job for job in jobs.waiting(tx, account_id, list(told)) if _may_be(context, job)]
    context.lists.learn_unasked(account_id, len(waiting))
    if not waiting:
        return []
    follow_ups: list[FollowUp] = []
    with context.store.write() as tx:
        jobs.hold(tx, [job.id for job in waiting])
        for job in waiting:
            with alone(tx, Event.LOOK_BROKE, job.id):
                follow_ups += observe(context, tx, job.id, told[job.gateway_id or ""])
    return follow_ups


def _may_be(context: Context, job: Job) -> bool:
    return job.channel is None or context.policy.pace(job).why is Why.SILENT
