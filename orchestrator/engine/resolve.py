"""What a person decides about a job: which gateway job it is, to risk another, to stop, to cancel."""

from __future__ import annotations

from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.core.lifecycle import step as lifecycle_step
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.observe import observe
from orchestrator.errors import NotAllowed, NotFound
from orchestrator.store import hand_offs, jobs
from orchestrator.store.database import Transaction

_WHY_NOT = {
    Seen.ADOPT: "only an uncertain, rejected or timed out job can be given a gateway job",
    Seen.RESUBMIT: "only an uncertain create can be resubmitted",
    Seen.GIVE_UP: "only an uncertain create can be given up",
}


def adopt(context: Context, job_id: str, gateway_id: str) -> list[FollowUp]:
    """A person says which gateway job this is. Raises NotFound or NotAllowed."""
    with context.store.write() as tx:
        job = _job(tx, job_id)
        owner = jobs.by_gateway_id(tx, job.account_id, gateway_id)
        if owner is not None and owner.id != job_id:
            raise NotAllowed(f"the gateway job {gateway_id} already belongs to {owner.id}")
        if job.gateway_id not in (None, gateway_id):
            raise NotAllowed(f"{job.id} already has the gateway job {job.gateway_id}")
        return _decide(context, tx, job, Seen.ADOPT, gateway_id)


def resubmit(context: Context, job_id: str) -> list[FollowUp]:
    """Create again: if the first create did make a job, both are paid. Raises NotFound or NotAllowed."""
    with context.store.write() as tx:
        return _decide(context, tx, _job(tx, job_id), Seen.RESUBMIT)


def give_up(context: Context, job_id: str) -> list[FollowUp]:
    """Stop waiting; a late outcome still counts. Raises NotFound or NotAllowed."""
    with context.store.write() as tx:
        return _decide(context, tx, _job(tx, job_id), Seen.GIVE_UP)


def cancel(context: Context, job_id: str) -> tuple[Job, list[FollowUp]]:
    """Want a job no more. Before its create it is cancelled; afterwards only its hand-off is stopped.

    The gateway cannot cancel and will bill. Returns the job as it stands now.
    """
    with context.store.write() as tx:
        job = _job(tx, job_id)
        follow_ups = observe(context, tx, job_id, Observation(Source.OPERATOR, Seen.CANCEL))
        after = _job(tx, job_id)
        if after.state is not State.CANCELLED:
            jobs.note(tx, job.id, {"cancel_requested_at": tx.now})
            hand_offs.withdraw(tx, job.id)
        return _job(tx, job_id), follow_ups


def _decide(
    context: Context, tx: Transaction, job: Job, seen: Seen, gateway_id: str | None = None
) -> list[FollowUp]:
    if lifecycle_step(job.state, seen).verdict is not Verdict.MOVED:
        raise NotAllowed(f"{job.id} is {job.state}: {_WHY_NOT[seen]}", hint=f"`orchestrator show {job.id}`")
    return observe(context, tx, job.id, Observation(Source.OPERATOR, seen, gateway_id=gateway_id))


def _job(tx: Transaction, job_id: str) -> Job:
    job = jobs.get(tx, job_id)
    if job is None:
        raise NotFound(f"there is no job {job_id}", hint="`orchestrator jobs` lists them")
    return job
