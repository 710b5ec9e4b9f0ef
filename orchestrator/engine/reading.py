"""What callers read: only what is theirs, and of what is not, the same words as of what is not there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orchestrator.core.access import Caller
from orchestrator.core.blame import Finding
from orchestrator.core.job import HandOff, Job
from orchestrator.engine import blaming, standing
from orchestrator.engine.context import Context
from orchestrator.engine.standing import Standing
from orchestrator.engine.submit import Kept
from orchestrator.errors import Forbidden
from orchestrator.store import dead_letters, job_lists, observations
from orchestrator.store.database import Transaction
from orchestrator.store.dead_letters import Matching
from orchestrator.store.job_lists import Listed
from orchestrator.store.observations import Recorded


@dataclass(frozen=True, slots=True)
class Letter:
    """A hand-off that was given up, with its job's reference."""

    hand_off: HandOff
    reference: str | None


def visible(tx: Transaction, caller: Caller, job_id: str) -> Job:
    """A job that this caller may know of. Raises NotFound, in the same words whatever the reason."""
    job = job_lists.of_tenant(tx, caller.tenant_id, job_id)
    _require_visible(caller, job)
    return job


def _require_visible(caller: Caller, job: Job) -> None:
    for_another = caller.end_user is not None and job.end_user != caller.end_user
    if for_another or caller.job_id not in (None, job.id):
        raise job_lists.unknown(job.id)


def one(context: Context, caller: Caller, job_id: str) -> Standing:
    """Where one job stands. Raises NotFound."""
    with context.store.read() as tx:
        found = standing.of_tenant(tx, caller.tenant_id, job_id)
    _require_visible(caller, found.job)
    return found


def referred(context: Context, tenant_id: str, reference: str) -> Standing:
    """Where the newest job with this reference stands. Raises NotFound."""
    with context.store.read() as tx:
        return standing.of_jobs(tx, [job_lists.by_reference(tx, tenant_id, reference)])[0]


def kept(context: Context, tenant_id: str, made: Kept) -> list[Standing]:
    """Where jobs stand that a request kept; those of an earlier request may have gone on."""
    if not made.replayed:
        return standing.of_new(made.jobs, made.account_names)
    with context.store.read() as tx:
        return standing.of_jobs(tx, job_lists.several(tx, tenant_id, [job.id for job in made.jobs]))


def listed(
    context: Context, caller: Caller, which: Listed, *, limit: int, before: str | None
) -> tuple[list[Standing], str | None]:
    """The newest jobs of whoever asks, and the id to go on from, None at the end. Raises Forbidden."""
    if caller.job_id is not None:
        raise Forbidden("this token is for one job", hint=f"ask for /v1/jobs/{caller.job_id}")
    if caller.by_token and which.blame is not None:
        raise Forbidden("a token does not tell whose fault it was", hint="ask without `blame`")
    if caller.end_user is not None:
        if which.end_user not in (None, caller.end_user):
            return [], None
        which = replace(which, end_user=caller.end_user)
    with context.store.read() as tx:
        found = job_lists.page(tx, caller.tenant_id, which, limit=limit + 1, before=before)
        shown = found[:limit]
        return standing.of_jobs(tx, shown), shown[-1].id if len(found) > limit else None


def timeline(context: Context, tenant_id: str, job_id: str) -> list[Recorded]:
    """All that was learned about a job, oldest first. Raises NotFound."""
    with context.store.read() as tx:
        return observations.of_job(tx, job_lists.of_tenant(tx, tenant_id, job_id).id)


def findings(context: Context, tenant_id: str, job_id: str) -> list[Finding]:
    """All that went wrong with a job, that of its end first. Raises NotFound."""
    with context.store.read() as tx:
        return blaming.of_job(tx, job_lists.of_tenant(tx, tenant_id, job_id))


def dead(
    context: Context, tenant_id: str, which: Matching, *, limit: int, before: int | None
) -> tuple[list[Letter], int | None]:
    """The latest hand-offs that were given up, and the id to go on from, None at the end."""
    with context.store.read() as tx:
        found = dead_letters.latest(tx, tenant_id, which, limit=limit + 1, before=before)
        shown = found[:limit]
        references = job_lists.references(tx, {one.job_id for one in shown})
    letters = [Letter(one, references[one.job_id]) for one in shown]
    return letters, shown[-1].id if len(found) > limit else None
