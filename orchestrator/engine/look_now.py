"""A person wants to know about a job now: its next look is brought forward, as far as the gateway lets us."""

from __future__ import annotations

from orchestrator.core.lifecycle import State
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.next_look import soonest
from orchestrator.errors import NotAllowed
from orchestrator.store import job_lists, jobs


def look_now(context: Context, job_id: str, *, tenant_id: str | None = None) -> tuple[float, list[FollowUp]]:
    """Look at a job as soon as may be. Returns in how many seconds that is. Raises NotFound or NotAllowed.

    Another tenant's is not found; None: whoever sees all tenants.
    """
    with context.store.write() as tx:
        if tenant_id is not None:
            job_lists.of_tenant(tx, tenant_id, job_id)  # whose it is never changes
        job = jobs.lock(tx, job_id)
        if job.due_at is None or job.state in (State.ACCEPTED, State.CREATING):
            raise NotAllowed(f"{job.id} is {job.state}: no look could tell anything more of it")
        if job.leased_by is not None and (job.lease_until or 0.0) > tx.now:
            raise NotAllowed(
                "a worker is looking at it now", hint="its timeline says in a moment what it saw"
            )
        at = min(soonest(context, job, tx.now), job.due_at)
        jobs.note(tx, job.id, {"due_at": at})
        wait = max(at - tx.now, 0.0)
    return wait, [FollowUp(Task.LOOK, wait)]
