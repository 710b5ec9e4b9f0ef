"""A job that ended badly is asked for once more, as a new one that says which it was."""

from __future__ import annotations

from contextlib import suppress

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.engine.context import Context
from orchestrator.engine.submit import Kept, Once, Submission, found_earlier, keep
from orchestrator.errors import KeyReused, NotAllowed, RequestError
from orchestrator.store import accounts, job_lists


def retry(context: Context, tenant_id: str, job_id: str, once: Once | None = None) -> Kept:
    """Keep a new job like this one, with as much time. Raises NotFound, or NotAllowed unless it ended badly.

    Where it goes stays the same, and who pays too unless that account was removed. Raises RequestError where
    a destination of it is gone. With `once`, what an earlier request with its key kept is returned instead.
    """
    try:
        wanted = _wanted(context, tenant_id, job_id)
    except RequestError:
        if earlier := _earlier(context, once):
            return earlier  # the first job may have ended well since, or be purged
        raise
    return keep(context, [wanted], once)


def _earlier(context: Context, once: Once | None) -> Kept | None:
    with suppress(KeyReused):  # what is wrong with the job comes first
        return found_earlier(context, once) if once else None
    return None


def _wanted(context: Context, tenant_id: str, job_id: str) -> Submission:
    with context.store.read() as tx:
        job = job_lists.of_tenant(tx, tenant_id, job_id)
        usable = any(one.id == job.account_id for one in accounts.every(tx))
    if job.state not in SETTLED or job.state is State.COMPLETED:
        raise NotAllowed(f"{job.id} is {job.state}: only a job that ended badly is tried again")
    return _again(job, job.account_id if usable else None)


def _again(job: Job, account_id: str | None) -> Submission:
    return Submission(
        request=job.request,
        reference=job.reference,
        metadata=job.metadata,
        updates=job.updates,
        destinations=job.destinations,
        deadline_seconds=job.deadline_at - job.accepted_at,
        tenant_id=job.tenant_id,
        account_id=account_id,
        end_user=job.end_user,
        retry_of=job.id,
    )
