"""Jobs over the API: submit, read, list, and what may be done with one."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import AwareDatetime, BeforeValidator

from orchestrator.core.access import Caller, Scope
from orchestrator.core.blame import Fault
from orchestrator.core.lifecycle import State
from orchestrator.engine import reading, resolve
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.retry import retry
from orchestrator.engine.standing import Standing
from orchestrator.engine.submit import Kept, Once
from orchestrator.store.job_lists import Listed
from orchestrator.web.api import asked, paging, presenting
from orchestrator.web.api.authentication import requires
from orchestrator.web.api.door import Door, DoorDep
from orchestrator.web.api.routing import api_router
from orchestrator.web.api.submitting import Asked
from orchestrator.web.api.waiting import LONGEST_WAIT, until_ready
from orchestrator.wire.jobs import (
    Cancelled,
    Findings,
    Job,
    JobPage,
    Jobs,
    Name,
    NewJobs,
    PublicJob,
    PublicJobPage,
    Resolution,
    Timeline,
)

router = api_router()
Submitter = Annotated[Caller, requires(Scope.SUBMIT)]
Reader = Annotated[Caller, requires(Scope.READ)]
Visitor = Annotated[Caller, requires(Scope.READ, tokens=True)]
Operator = Annotated[Caller, requires(Scope.OPERATE)]


def _as_rfc_3339(given: Any) -> Any:
    if isinstance(given, str) and not given[:5].endswith("-"):  # a number would be taken for a moment too
        raise ValueError("it is a moment as RFC 3339 has it, with its zone: 2026-11-26T08:00:00Z")
    return given


Moment = Annotated[AwareDatetime, BeforeValidator(_as_rfc_3339)]


def _again(model: Any) -> dict[int | str, dict[str, Any]]:
    """The answer to a request that was sent again."""
    return {200: {"model": model, "description": "What an earlier request with this Idempotency-Key made."}}


@router.post(
    "/jobs",
    status_code=201,
    operation_id="submit_jobs",
    response_model=Job | Jobs,
    responses=_again(Job | Jobs),
)
async def submit_jobs(
    request: Request,
    door: DoorDep,
    caller: Submitter,
    body: asked.NewJobOrJobs,
    idempotency_key: asked.IdempotencyKey = None,
) -> Response:
    """Submit one job, or up to 1,000, all or none. From then on none can be lost.

    With an `Idempotency-Key`, the same request sent again is answered with the same jobs and status 200.
    """
    once = asked.once(caller, idempotency_key, body)
    one = Asked(caller, body, once, getattr(request.state, "traceparent", None))
    kept, standings = await door.submit(one)
    return _kept(kept, standings, many=isinstance(body, NewJobs))


def _kept(kept: Kept, standings: list[Standing], *, many: bool) -> Response:
    told = tuple(presenting.job(one) for one in standings)
    model: Job | Jobs = Jobs(jobs=told) if many else told[0]
    headers = {"Idempotency-Replayed": "true"} if kept.replayed else {}
    if not many:
        headers["Location"] = f"/v1/jobs/{told[0].id}"
    return presenting.answer(model, status=200 if kept.replayed else 201, headers=headers)


@router.get("/jobs", operation_id="list_jobs", response_model=JobPage | PublicJobPage)
async def list_jobs(
    door: DoorDep,
    caller: Visitor,
    state: Annotated[list[State] | None, Query(max_length=len(State), description="Any of these.")] = None,
    reference: Annotated[Name | None, Query(description="With this reference.")] = None,
    end_user: Annotated[Name | None, Query(description="Made for this end user.")] = None,
    needs_person: Annotated[bool | None, Query(description="Whether a person must settle it.")] = None,
    blame: Annotated[
        Fault | None, Query(description="Jobs that met this fault, whether it decided how they ended or not.")
    ] = None,
    accepted_after: Annotated[Moment | None, Query(description="Not accepted before then.")] = None,
    accepted_before: Annotated[Moment | None, Query(description="Accepted before then.")] = None,
    limit: paging.Limit = 50,
    cursor: paging.Cursor = None,
) -> Response:
    """List jobs, the newest first; with the token of an end user, that user's jobs."""
    which = Listed(
        states=tuple(sorted(set(state or ()))),
        reference=reference,
        end_user=end_user,
        needs_person=needs_person,
        blame=blame,
        accepted_after=_seconds(accepted_after),
        accepted_before=_seconds(accepted_before),
    )
    of = (caller.tenant_id, caller.end_user, which)
    act = partial(reading.listed, door.context, caller, which, limit=limit, before=paging.begin(cursor, of))
    standings, last = await door.run(act)
    return presenting.answer(presenting.page(caller, standings, paging.following(last, of)))


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


@router.get("/jobs/by-reference/{reference:path}", operation_id="read_job_by_reference", response_model=Job)
async def read_job_by_reference(door: DoorDep, caller: Reader, reference: str) -> Response:
    """The newest job with this reference."""
    found = await door.run(partial(reading.referred, door.context, caller.tenant_id, reference))
    return presenting.answer(presenting.job(found))


@router.get("/jobs/{job_id}", operation_id="read_job", response_model=Job | PublicJob)
async def read_job(
    request: Request,
    door: DoorDep,
    caller: Visitor,
    job_id: str,
    wait: Annotated[
        float,
        Query(ge=0, le=LONGEST_WAIT, description="Answer when the job is ready, or after this many seconds."),
    ] = 0,
) -> Response:
    """One job. With `wait`, as soon as it has ended and its outputs can be read."""
    read = partial(reading.one, door.context, caller, job_id)
    found = await until_ready(door, request, job_id, read, wait)
    return presenting.answer(presenting.to(caller, found))


@router.get("/jobs/{job_id}/timeline", operation_id="read_timeline", response_model=Timeline)
async def read_timeline(door: DoorDep, caller: Reader, job_id: str) -> Response:
    """Everything that was learned about a job, and its source."""
    found = await door.run(partial(reading.timeline, door.context, caller.tenant_id, job_id))
    return presenting.answer(Timeline(entries=tuple(presenting.timeline_entry(one) for one in found)))


@router.get("/jobs/{job_id}/findings", operation_id="read_findings", response_model=Findings)
async def read_findings(door: DoorDep, caller: Reader, job_id: str) -> Response:
    """Everything that went wrong with a job, whose fault it was, and a text to send to whoever can fix it."""
    found = await door.run(partial(reading.findings, door.context, caller.tenant_id, job_id))
    return presenting.answer(Findings(findings=tuple(presenting.finding(one) for one in found)))


@router.post("/jobs/{job_id}/cancel", operation_id="cancel_job", response_model=Cancelled)
async def cancel_job(door: DoorDep, caller: Submitter, job_id: str) -> Response:
    """Cancel a job. Before its create nothing is made; after that the gateway goes on, and bills it."""
    found = await door.change(partial(_cancel, door.context, caller, job_id))
    return presenting.answer(presenting.cancelled(found))


def _cancel(context: Context, caller: Caller, job_id: str) -> tuple[Standing, list[FollowUp]]:
    _, follow_ups = resolve.cancel(context, job_id, tenant_id=caller.tenant_id)
    return reading.one(context, caller, job_id), follow_ups


@router.post(
    "/jobs/{job_id}/retry",
    status_code=201,
    operation_id="retry_job",
    response_model=Job,
    responses=_again(Job),
)
async def retry_job(
    door: DoorDep, caller: Submitter, job_id: str, idempotency_key: asked.IdempotencyKey = None
) -> Response:
    """Submit a job that ended badly again, as a new one, whose `retry_of` is the old one."""
    once = asked.once(caller, idempotency_key, {"retry_of": job_id})
    kept, standings = await door.change(partial(_retry, door.context, caller, job_id, once))
    return _kept(kept, standings, many=False)


def _retry(
    context: Context, caller: Caller, job_id: str, once: Once | None
) -> tuple[tuple[Kept, list[Standing]], list[FollowUp]]:
    kept = retry(context, caller.tenant_id, job_id, once)
    return (kept, reading.kept(context, caller.tenant_id, kept)), kept.follow_ups


@router.post("/jobs/{job_id}/resolve", operation_id="resolve_job", response_model=Job)
async def resolve_job(door: DoorDep, caller: Operator, job_id: str, body: Resolution) -> Response:
    """Settle an uncertain create, of which nobody knows whether it made a job."""
    found = await door.change(partial(_resolve, door, caller, job_id, body))
    return presenting.answer(presenting.job(found))


def _resolve(door: Door, caller: Caller, job_id: str, decided: Resolution) -> tuple[Standing, list[FollowUp]]:
    context, whose = door.context, caller.tenant_id
    if decided.adopt is not None:
        follow_ups = resolve.adopt(context, job_id, decided.adopt, tenant_id=whose)
    elif decided.resubmit:
        follow_ups = resolve.resubmit(context, job_id, tenant_id=whose)
    else:
        follow_ups = resolve.give_up(context, job_id, tenant_id=whose)
    return reading.one(context, caller, job_id), follow_ups
