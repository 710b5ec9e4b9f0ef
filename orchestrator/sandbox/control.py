"""The sandbox's own routes: set faults, see the truth, stage events. The gateway has none of these."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.sandbox.auth import gateway_of
from orchestrator.sandbox.content_errors import CONTENT_ERRORS
from orchestrator.sandbox.create_errors import CREATE_ERRORS
from orchestrator.sandbox.creation import FALLBACK_EVENTS, PHASES
from orchestrator.sandbox.drawing import FOR_EVER
from orchestrator.sandbox.gateway import Gateway
from orchestrator.sandbox.profiles import PROFILES
from orchestrator.sandbox.state import TERMINAL, Delivery, Job
from orchestrator.sandbox.switches import describe


def _complaint(message: str, status: int = 400) -> Response:
    return JSONResponse({"error": message}, status)


async def _object(request: Request) -> dict[str, Any]:
    """The body as an object. Raises ValueError with a sentence."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        raise ValueError("the body is not JSON.") from None
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object.")
    return body


async def switches(request: Request) -> Response:
    """Every switch with its default and meaning, and the names that some of them take."""
    named = {
        "providers": list(PROFILES),
        "create_errors": {name: row.meaning for name, row in CREATE_ERRORS.items()},
        "content_errors": CONTENT_ERRORS,
    }
    return JSONResponse({"switches": describe(), **named})


async def faults(request: Request) -> Response:
    """Show the switches in force; PUT lays some over them, DELETE restores the configured ones."""
    gateway = gateway_of(request)
    try:
        if request.method == "PUT":
            gateway.set_faults(await _object(request))
        elif request.method == "DELETE":
            gateway.restore_faults()
    except ValueError as error:
        return _complaint(str(error))
    return JSONResponse({"job": asdict(gateway.defaults), "live": asdict(gateway.live)})


async def requests(request: Request) -> Response:
    """The request log, oldest first, filtered by query: fields, `path` by prefix, `after` by number."""
    rows = gateway_of(request).log.entries(**dict(request.query_params))
    return JSONResponse({"requests": rows, "count": len(rows)})


async def jobs(request: Request) -> Response:
    """The ground truth of every job; query parameters filter by field."""
    gateway = gateway_of(request)
    rows = [_truth(gateway, job) for job in gateway.jobs.everything()]
    wanted = dict(request.query_params).items()
    rows = [row for row in rows if all(str(row.get(name)) == value for name, value in wanted)]
    return JSONResponse({"jobs": rows, "count": len(rows)})


def _truth(gateway: Gateway, job: Job) -> dict[str, Any]:
    now = gateway.clock.now()
    live = job.outcome if now >= job.ends_at else "processing" if now >= job.starts_at else "queued"
    return {
        "id": job.id,
        "number": job.number,
        "session_id": job.session_id,
        "provider": job.profile.name,
        "created_at": job.created_at,
        "ends_at": None if job.ends_at == FOR_EVER else job.ends_at,
        "outcome": job.outcome,
        "live": live,
        "stored": job.stored,
        "finalized_at": job.finalized_at,
        "deleted": job.deleted,
        "outputs": job.output_count,
        "gets": job.gets,
        "content_gets": job.content_gets,
        "webhook_attempts": len(job.history),
        "webhooks_delivered": sum(row.state == "delivered" for row in job.deliveries.values()),
        "prompt": job.body.get("prompt"),
    }


async def webhooks(request: Request) -> Response:
    """Every event owed, with its attempts; query parameters filter by field."""
    gateway = gateway_of(request)
    rows = [_owed(job, row) for job in gateway.jobs.everything() for row in job.deliveries.values()]
    wanted = dict(request.query_params).items()
    rows = [row for row in rows if all(str(row.get(name)) == value for name, value in wanted)]
    return JSONResponse({"webhooks": rows, "count": len(rows)})


def _owed(job: Job, row: Delivery) -> dict[str, Any]:
    attempts = [entry for entry in job.history if entry["delivery_key"] == row.key]
    return {
        "event_id": row.event_id,
        "type": row.type,
        "key": row.key,
        "job_id": job.id,
        "session_id": job.session_id,
        "state": row.state,
        "attempts": attempts,
        "statuses": row.statuses,
    }


async def _asked(request: Request, field: str) -> tuple[Job, str] | Response:
    """The job that a request is about and one field of its body, or why there are none."""
    job = gateway_of(request).jobs.find(request.path_params["id"])
    if job is None:
        return _complaint(f"no job {request.path_params['id']!r}; GET /_sandbox/jobs lists them.", 404)
    try:
        return job, str((await _object(request)).get(field, ""))
    except ValueError as error:
        return _complaint(str(error))


async def end(request: Request) -> Response:
    """Let the provider end a running job now; the gateway learns of it as the job's switches say."""
    asked = await _asked(request, "status")
    if isinstance(asked, Response):
        return asked
    job, status = asked
    if status not in TERMINAL:
        return _complaint(f"no end {status!r}; it takes one of {', '.join(sorted(TERMINAL))}.")
    gateway = gateway_of(request)
    gateway.finish(job, status)
    return JSONResponse({"job": _truth(gateway, job)}, 202)


async def trigger(request: Request) -> Response:
    """Send one event of a job now; a terminal one ends a running job that way."""
    gateway, asked = gateway_of(request), await _asked(request, "event")
    if isinstance(asked, Response):
        return asked
    job, event = asked
    phase = event.removeprefix("video.")
    if phase not in PHASES:
        return _complaint(
            f"unknown event {event!r}; it takes one of {', '.join('video.' + name for name in PHASES)}."
        )
    if job.webhook_endpoint is None and not _adopt_endpoint(gateway, job):
        return _complaint("the job has no webhook and the sandbox no endpoint to use instead.", 409)
    ended_here = phase in TERMINAL and job.stored not in TERMINAL
    if ended_here:
        gateway.end_now(job, phase)
    if not ended_here or f"video.{phase}" not in job.deliveries:  # an end announces itself where subscribed
        gateway.outbox.send_now(job, phase)
    return JSONResponse({"event": f"video.{phase}", "job": _truth(gateway, job)}, 202)


def _adopt_endpoint(gateway: Gateway, job: Job) -> bool:
    endpoint = next((row for row in gateway.endpoints.everything(False) if row.active), None)
    if endpoint is not None:
        job.webhook_endpoint, job.webhook_events = endpoint.id, list(FALLBACK_EVENTS)
    return endpoint is not None


async def reset(request: Request) -> Response:
    """Forget all jobs, requests and faults."""
    await gateway_of(request).reset()
    return JSONResponse({"reset": True})


ROUTES = [
    Route("/_sandbox/switches", switches, methods=["GET"]),
    Route("/_sandbox/faults", faults, methods=["GET", "PUT", "DELETE"]),
    Route("/_sandbox/requests", requests, methods=["GET"]),
    Route("/_sandbox/jobs", jobs, methods=["GET"]),
    Route("/_sandbox/webhooks", webhooks, methods=["GET"]),
    Route("/_sandbox/jobs/{id}/end", end, methods=["POST"]),
    Route("/_sandbox/jobs/{id}/trigger", trigger, methods=["POST"]),
    Route("/_sandbox/reset", reset, methods=["POST"]),
]
