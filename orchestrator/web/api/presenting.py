"""What callers are told of jobs: rows and where they stand, in the words of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from orchestrator.core import job as core
from orchestrator.core.access import Caller
from orchestrator.core.blame import Finding
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.engine.reading import Letter
from orchestrator.engine.standing import Standing
from orchestrator.store.observations import Recorded
from orchestrator.wire import jobs as wire


def job(one: Standing) -> wire.Job:
    """All that its tenant may know."""
    row = one.job
    return wire.Job(
        **_progressing(one),
        end_user=row.end_user,
        account=one.account,
        request=row.request,
        metadata=row.metadata,
        updates=row.updates,
        destinations=tuple(route.destination for route in row.destinations),
        state_since=_moment(row.state_since),
        over=one.over,
        held=one.held,
        needs_person=row.needs_person,
        retry_of=row.retry_of,
        gateway_id=row.gateway_id,
        gateway_status=row.gateway_status,
        gateway_request_id=row.request_id,
        provider=row.provider,
        won_by=row.won_by,
        blame=row.blame,
        cost_usd=row.cost_usd,
        looks=row.looks,
        webhooks=row.webhooks,
        clashes=row.clashes,
        created_at=_moment(row.created_at),
        deadline_at=_moment(row.deadline_at),
        traceparent=row.traceparent,
        hand_offs=tuple(wire.HandOff(**_hand_off(owed)) for owed in one.deliveries),
    )


def public_job(one: Standing) -> wire.PublicJob:
    """What somebody may know who only has a token."""
    return wire.PublicJob(**_progressing(one))


def to(caller: Caller, one: Standing) -> wire.Job | wire.PublicJob:
    """As much as this caller may know."""
    return public_job(one) if caller.by_token else job(one)


def timeline_entry(one: Recorded) -> wire.TimelineEntry:
    """One thing learned about a job."""
    return wire.TimelineEntry(
        seq=one.seq,
        at=_moment(one.at),
        source=one.source,
        seen=one.seen,
        verdict=one.verdict,
        from_state=one.from_state,
        to_state=one.to_state,
        gateway_status=one.status,
        progress=one.progress,
        error=_error(one.failure),
        gateway_request_id=one.request_id,
        note=one.note,
    )


def finding(one: Finding) -> wire.Finding:
    """One thing that went wrong with a job."""
    return wire.Finding(
        fault=one.fault,
        at=_moment(one.at),
        last_at=_moment(one.last_at or one.at),
        times=one.times,
        of_end=one.of_end,
        overcome=one.overcome,
        evidence=one.evidence,
        gateway_request_id=one.request_id,
        addressee=one.addressee,
        text_for_support=one.text_for_support,
    )


def dead_letter(one: Letter) -> wire.DeadLetter:
    """A hand-off that was given up."""
    return wire.DeadLetter(**_hand_off(one.hand_off), job_id=one.hand_off.job_id, reference=one.reference)


def page(caller: Caller, standings: Sequence[Standing], following: str | None) -> BaseModel:
    """A page of a list, with as much as this caller may know."""
    if caller.by_token:
        return wire.PublicJobPage(jobs=tuple(public_job(one) for one in standings), next=following)
    return wire.JobPage(jobs=tuple(job(one) for one in standings), next=following)


def answer(model: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The answer, written once: the models are sound by themselves."""
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


_NOTHING_MADE = "It was not created yet: nothing is made, and nothing is billed."
_RUNS_ON = (
    "The gateway cannot cancel: it goes on, and bills what it makes. Nothing more of this job is handed off."
)
_OVER = "It had already ended, and stays so. What was not handed off yet is withdrawn."
_BILLED = {State.CREATING, State.UNCERTAIN, State.WAITING, State.COMPLETED, State.TIMED_OUT}


def cancelled(one: Standing) -> wire.Cancelled:
    """What a cancel came to, plainly."""
    state = one.job.state
    stopped = state is State.CANCELLED and one.job.gateway_id is None
    notice = _NOTHING_MADE if stopped else _OVER if state in SETTLED else _RUNS_ON
    return wire.Cancelled(job=job(one), cancelled=stopped, billed=state in _BILLED, notice=notice)


def _progressing(one: Standing) -> dict[str, Any]:
    row = one.job
    return {
        "id": row.id,
        "reference": row.reference,
        "state": row.state,
        "settled": row.state in SETTLED,
        "ready": one.ready,
        "progress": min(100, max(0, row.progress)),
        "model": row.model or row.request.get("model"),
        "error": _error(row.failure),
        "accepted_at": row.accepted_at,
        "settled_at": row.settled_at,
        "cancel_requested_at": row.cancel_requested_at,
        "outputs": tuple(_output(output) for output in one.outputs),
    }


def _output(one: core.Output) -> wire.Output:
    there = one.archived_at is not None
    return wire.Output(
        index=one.index,
        available=there,
        missing=one.missing,
        kept=one.kept,
        mime_type=one.mime_type,
        bytes=one.size,
        sha256=one.sha256,
        url=f"/v1/jobs/{one.job_id}/outputs/{one.index}" if there else None,
    )


def _hand_off(one: core.HandOff) -> dict[str, Any]:
    return {
        "id": one.id,
        "destination": one.destination,
        "kind": one.kind,
        "state": one.state,
        "output_index": one.output_index,
        "outcome": one.outcome,
        "created_at": one.created_at,
        "attempts": one.attempts,
        "next_attempt_at": one.due_at,
        "last_error": one.last_error,
        "last_status": one.last_status,
        "location": one.location,
        "done_at": one.done_at,
    }


def _error(failure: Mapping[str, Any] | None) -> wire.Error | None:
    return wire.Error(**failure) if failure else None


def _moment(seconds: float | None) -> Any:
    """Rows have epoch seconds, which the models take as well."""
    return seconds
