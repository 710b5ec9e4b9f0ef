"""What a person decides about a job: which gateway job it is, to risk another, to stop, to cancel.

The job is held from the moment it is read: a webhook may be settling it.
"""

from __future__ import annotations

from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.core.lifecycle import step as lifecycle_step
from orchestrator.engine import telling
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.observe import observe
from orchestrator.errors import NotAllowed
from orchestrator.gateway import reading
from orchestrator.store import hand_offs, job_lists, jobs
from orchestrator.store.database import Transaction

_WHY_NOT = {
    Seen.ADOPT: "only an uncertain, rejected or timed out job can be given a gateway job",
    Seen.RESUBMIT: "only an uncertain create can be resubmitted",
    Seen.GIVE_UP: "only an uncertain create can be given up",
}


def adopt(context: Context, job_id: str, gateway_id: str, *, tenant_id: str | None = None) -> list[FollowUp]:
    """A person says which gateway job this is. Raises NotFound or NotAllowed."""
    with context.store.write() as tx:
        job = _held(tx, job_id, tenant_id)
        if reading.gateway_id(gateway_id) is None:
            raise NotAllowed(
                f"{gateway_id[:40]!r} is not an id of the gateway's", hint="they look like G-01K3ZQ8W…"
            )
        owner = jobs.by_gateway_id(tx, job.account_id, gateway_id)
        if owner is not None and owner.id != job_id:
            raise NotAllowed(f"the gateway job {gateway_id} already belongs to {owner.id}")
        if job.state is State.WAITING and job.unconfirmed:
            jobs.note(tx, job.id, {"due_at": tx.now})  # the id given before was a mistake
            adopted = Observation(Source.OPERATOR, Seen.ADOPT, gateway_id=gateway_id)
            return [*observe(context, tx, job.id, adopted), FollowUp(Task.LOOK)]
        if job.gateway_id not in (None, gateway_id) and not job.unconfirmed:
            raise NotAllowed(f"{job.id} already has the gateway job {job.gateway_id}")
        return _decide(context, tx, job, Seen.ADOPT, gateway_id)


def resubmit(context: Context, job_id: str, *, tenant_id: str | None = None) -> list[FollowUp]:
    """Create again: if the first create did make a job, both are paid. Raises NotFound or NotAllowed."""
    with context.store.write() as tx:
        return _decide(context, tx, _held(tx, job_id, tenant_id), Seen.RESUBMIT)


def give_up(context: Context, job_id: str, *, tenant_id: str | None = None) -> list[FollowUp]:
    """Stop waiting; a late outcome still counts. Raises NotFound or NotAllowed."""
    with context.store.write() as tx:
        return _decide(context, tx, _held(tx, job_id, tenant_id), Seen.GIVE_UP)


def cancel(context: Context, job_id: str, *, tenant_id: str | None = None) -> tuple[Job, list[FollowUp]]:
    """Want a job no more. Before its create it is cancelled; afterwards only its hand-off is stopped.

    The gateway cannot cancel and will bill. Returns the job as it stands now.
    """
    with context.store.write() as tx:
        _held(tx, job_id, tenant_id)
        follow_ups = observe(context, tx, job_id, Observation(Source.OPERATOR, Seen.CANCEL))
        after = jobs.require(tx, job_id)  # which `observe` holds
        if after.state is not State.CANCELLED:
            jobs.note(tx, job_id, {"cancel_requested_at": tx.now})
            telling.cancelled(tx, after, hand_offs.withdraw(tx, job_id))
        return jobs.require(tx, job_id), follow_ups


def _held(tx: Transaction, job_id: str, tenant_id: str | None) -> Job:
    """The job, held; another tenant's is not found. None: whoever has the database may decide about any."""
    if tenant_id is not None:
        job_lists.of_tenant(tx, tenant_id, job_id)  # whose it is never changes
    return jobs.lock(tx, job_id)


def _decide(
    context: Context, tx: Transaction, job: Job, seen: Seen, gateway_id: str | None = None
) -> list[FollowUp]:
    if lifecycle_step(job.state, seen).verdict is not Verdict.MOVED:
        raise NotAllowed(f"{job.id} is {job.state}: {_WHY_NOT[seen]}", hint=f"`orchestrator show {job.id}`")
    return observe(context, tx, job.id, Observation(Source.OPERATOR, seen, gateway_id=gateway_id))
