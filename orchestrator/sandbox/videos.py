"""Status, list, links, cancel, delete and models (contract sections 1.3, 1.5 and 1.6)."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.sandbox import refusals
from orchestrator.sandbox.answers import Sight
from orchestrator.sandbox.auth import gateway_of, refuse_key
from orchestrator.sandbox.gateway import Gateway
from orchestrator.sandbox.links import DEFAULT_TTL, LONGEST_TTL, SHORTEST_TTL
from orchestrator.sandbox.profiles import PROFILES
from orchestrator.sandbox.state import TERMINAL, Job

STATUSES = frozenset({*TERMINAL, "queued", "processing", "in_progress"})


def not_found(gateway: Gateway, job_id: str, reason: str = "video_not_found_or_not_owned") -> Response:
    """404 for an unknown or deleted job."""
    return refusals.shape_b(
        "not_found", reason, gateway.new_request_id(), gateway.config.workspace_id, video_id=job_id
    )


def find(gateway: Gateway, job_id: str, deleted_too: bool = False) -> Job | Response:
    """The job of that id, or the 404 to answer."""
    job = gateway.jobs.find(job_id)
    if job is None:
        return not_found(gateway, job_id)
    if gateway.clock.now() < job.created_at + gateway.clock.scaled(job.switches.not_found_for):
        return not_found(gateway, job_id)
    return not_found(gateway, job_id, "video_deleted") if job.deleted and not deleted_too else job


async def get_video(request: Request) -> Response:
    """The live status, which also stores and announces an end that it finds."""
    gateway = gateway_of(request)
    if refusal := refuse_key(request):
        return refusal
    job = find(gateway, request.path_params["id"])
    if isinstance(job, Response):
        return job
    job.gets += 1
    answer = staged_failure(gateway, job) or JSONResponse(gateway.scribe().status(job, see(gateway, job)))
    if job.switches.retry_after is not None:
        answer.headers["retry-after"] = str(job.switches.retry_after)
    return answer


def staged_failure(gateway: Gateway, job: Job) -> Response | None:
    """The 502 or 500 that a switch asks a GET for."""
    faults = job.switches
    if faults.get_500 and job.strikes("get_500", faults.get_500):
        return refusals.bare_500()
    broken = job.profile.name in gateway.live.provider_502
    if broken or (faults.get_502 and job.strikes("get_502", faults.get_502)):
        return fetch_failed(gateway, job, faults.get_502_status)
    if faults.regress == "502" and _regresses(job):
        return fetch_failed(gateway, job, faults.get_502_status)
    return None


def _regresses(job: Job) -> bool:
    faults = job.switches
    return (
        faults.regress != "none"
        and job.stored == "completed"
        and job.strikes("regress", faults.regress_times)
    )


def see(gateway: Gateway, job: Job) -> Sight:
    """What a GET sees: the provider's truth, unless a switch lets the provider talk differently."""
    faults, now = job.switches, gateway.clock.now()
    if faults.live_negative != "none" and job.strikes("live_negative", faults.live_negative_times):
        return Sight(faults.live_negative, 0, now)  # seen, but never stored
    if faults.regress != "502" and _regresses(job):
        return Sight(faults.regress, 0, now)
    return gateway.look(job)


def fetch_failed(gateway: Gateway, job: Job, upstream_status: int) -> Response:
    """502: the provider answered the gateway's question with an error."""
    code, message = refusals.upstream_words(upstream_status)
    preview = {"error": {"code": upstream_status, "message": message, "status": code}}
    native = {job.profile.native_key: job.native_id} if job.profile.native_key else {}
    return refusals.shape_b(
        "upstream_error",
        job.switches.get_502_reason or job.profile.fetch_failed,
        gateway.new_request_id(),
        gateway.config.workspace_id,
        provider=job.profile.name,
        upstream_status=upstream_status,
        upstream_status_text=None,
        upstream_body_preview=json.dumps(preview, separators=(",", ":")),
        upstream_error={"code": code, "message": message, "description": message, "param": None},
        provider_failure_diagnostics=refusals.diagnosis(upstream_status, job.profile.name),
        **native,
    )


async def list_videos(request: Request) -> Response:
    """Stored states of the latest jobs; no provider is asked."""
    gateway = gateway_of(request)
    refusal = refuse_key(request)
    if refusal or gateway.live.gate_closed:
        return refusal or refusals.gate_closed()
    query = request.query_params
    wanted = {word for item in query.getlist("status") for word in item.split(",")} & STATUSES
    rows = [job for job in gateway.jobs.window() if not wanted or _listed_status(job) in wanted]
    if query.get("order") == "asc":
        rows.reverse()
    rows = _after(rows, query.get("after"))
    page = rows[: _limit(query.get("limit"))]
    now, scribe = gateway.clock.now(), gateway.scribe()
    body = {
        "object": "list",
        "data": [scribe.listed(job, now) for job in page],
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
        "has_more": len(rows) > len(page),
    }
    return JSONResponse(body, headers=refusals.NO_STORE)


def _listed_status(job: Job) -> str:
    return "processing" if job.stored == "in_progress" else job.stored


def _limit(text: str | None) -> int:
    try:
        return max(0, min(100, int(text or "50")))
    except ValueError:
        return 50


def _after(rows: list[Job], after: str | None) -> list[Job]:
    for place, job in enumerate(rows):
        if job.id == after:
            return rows[place + 1 :]
    return rows


async def download_url(request: Request) -> Response:
    """A signed link to a job that is stored as completed."""
    gateway = gateway_of(request)
    if refusal := refuse_key(request):
        return refusal
    job = find(gateway, request.path_params["id"], deleted_too=True)
    if isinstance(job, Response):
        return job
    wish = _wish(await request.body())
    if isinstance(wish, str):
        error = "invalid_json" if wish.endswith("_body") else "validation_error"
        return _refuse(gateway, job, error, wish)
    if job.stored != "completed":
        return _refuse(
            gateway,
            job,
            "validation_error",
            "video_download_requires_completed_status",
            status=_listed_status(job),
        )
    if not gateway.live.signing:
        return _refuse(gateway, job, "gateway_error", "video_download_signing_not_configured")
    link, expires_at = gateway.links.make(gateway.base, job.id, gateway.clock.now(), **wish)
    return JSONResponse({"download_url": link, "expires_at": expires_at}, headers=refusals.NO_STORE)


def _wish(raw: bytes) -> dict[str, Any] | str:
    """The wanted link, or the reason why the body is no good."""
    try:
        body = json.loads(raw) if raw.strip() else {}
    except ValueError:
        return "invalid_video_download_request_body"
    if not isinstance(body, dict):
        return "invalid_video_download_request"
    ttl, place = body.get("ttl_seconds", DEFAULT_TTL), body.get("index", 0)
    disposition = body.get("disposition", "attachment")
    numbers = all(isinstance(item, int | float) and not isinstance(item, bool) for item in (ttl, place))
    if (
        not numbers
        or ttl <= 0
        or place < 0
        or place != int(place)
        or disposition not in ("attachment", "inline")
    ):
        return "invalid_video_download_request"
    return {"ttl": min(max(ttl, SHORTEST_TTL), LONGEST_TTL), "index": int(place), "disposition": disposition}


def _refuse(gateway: Gateway, job: Job, error: str, reason: str, **more: Any) -> Response:
    return refusals.shape_b(
        error, reason, gateway.new_request_id(), gateway.config.workspace_id, video_id=job.id, **more
    )


async def cancel_video(request: Request) -> Response:
    """Always 501, for unknown jobs too."""
    gateway = gateway_of(request)
    return refuse_key(request) or refusals.shape_b(
        "not_implemented_yet",
        "video_cancellation_disabled",
        gateway.new_request_id(),
        gateway.config.workspace_id,
        message="Video cancellation is not supported by the Phaseo video API.",
        video_id=request.path_params["id"],
    )


async def delete_video(request: Request) -> Response:
    """Tombstone a completed or failed job; it stays in the list."""
    gateway = gateway_of(request)
    if refusal := refuse_key(request):
        return refusal
    job = find(gateway, request.path_params["id"])
    if isinstance(job, Response):
        return job
    if job.stored not in ("completed", "failed"):
        reason = "video_delete_requires_terminal_status"
        return _refuse(gateway, job, "validation_error", reason, status=_listed_status(job))
    job.deleted = True
    return JSONResponse({"id": job.id, "object": "video.deleted", "deleted": True})


async def list_models(request: Request) -> Response:
    """A small catalogue, one model per provider."""
    gateway = gateway_of(request)
    refusal = refuse_key(request)
    if refusal or gateway.live.gate_closed:
        return refusal or refusals.gate_closed()
    rows = [
        {
            "model": f"{profile.prefixes[0].rstrip('/')}/video",
            "name": f"Sandbox video by {profile.name}",
            "status": "active",
            "input_types": ["text", "image"],
            "output_types": ["video"],
            "supported_params": ["duration", "sample_count"],
            "supported_parameters": ["duration", "sample_count"],
            "providers": [profile.name],
            "pricing": {"currency": "USD", "per_second": "0.03"},
        }
        for profile in PROFILES.values()
    ]
    return JSONResponse({"object": "list", "data": rows}, headers=refusals.NO_STORE)
