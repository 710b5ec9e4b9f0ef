"""POST /v1/videos (contract section 1.1)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestrator.sandbox import create_errors, refusals
from orchestrator.sandbox.auth import gateway_of, refuse_key
from orchestrator.sandbox.create_errors import CREATE_ERRORS, CreateError
from orchestrator.sandbox.cutting import Cut
from orchestrator.sandbox.gateway import ALL_CREATES, Gateway
from orchestrator.sandbox.names import check_names
from orchestrator.sandbox.outbox import subscribed
from orchestrator.sandbox.profiles import profile_of
from orchestrator.sandbox.state import Job, Order
from orchestrator.sandbox.switches import JobSwitches, UnknownSwitch, apply
from orchestrator.sandbox.validation import describe, issue, problems

LARGEST_BODY = 16 * 1024 * 1024
PHASES = ("created", "status_changed", "progress", "completed", "failed", "cancelled", "expired")
FALLBACK_EVENTS = ["job.status_changed", "job.completed", "job.failed", "job.cancelled", "job.expired"]


class Refused(Exception):
    """A create that ends in an error answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def create_video(request: Request) -> Response:
    """Check a create, stage the fault it asks for, and make the job."""
    gateway = gateway_of(request)
    refusal = refuse_key(request)
    if refusal or gateway.live.gate_closed:
        return refusal or refusals.gate_closed()
    try:
        order = await _read(request, gateway)
    except Refused as refused:
        return refused.response
    error = _planned_error(gateway, order)
    job = gateway.create(order) if _makes_job(order, error) else None
    if job is not None:
        request.scope["sandbox"]["job_id"] = job.id
        if order.switches.webhook_early:
            await gateway.outbox.drain(job)
    if order.switches.create_delay:
        await asyncio.sleep(order.switches.create_delay)
    return _answer(request, gateway, order, error, job)


def _answer(
    request: Request, gateway: Gateway, order: Order, error: CreateError | None, job: Job | None
) -> Response:
    if error is None and job is not None:
        headers = refusals.NO_STORE | {"server-timing": "guardAuth;dur=0.1", "timing-allow-origin": "*"}
        return JSONResponse(gateway.scribe().created(job, order.switches.create_status), headers=headers)
    if error is None or error.answer is None:
        return Cut()
    model = str(order.body.get("model", "sora-2"))
    provider = order.switches.provider or profile_of(model).name
    request_id = job.id if job else gateway.new_request_id()
    return error.answer(
        create_errors.Request(request_id, provider, model, order.switches.create_failed_statuses)
    )


def _makes_job(order: Order, error: CreateError | None) -> bool:
    if error is None:
        return True
    forced = order.switches.create_leaves_job
    return error.leaves_job if forced is None else forced


def _planned_error(gateway: Gateway, order: Order) -> CreateError | None:
    name = order.switches.create_error
    if name == "webhook_refused" and order.webhook is None:
        return None  # the same order without a webhook goes through
    if name is None or not gateway.count(order.origin, order.switches.create_error_times):
        return None
    return CREATE_ERRORS[name]


async def _read(request: Request, gateway: Gateway) -> Order:
    request_id = gateway.new_request_id()
    raw = await request.body()
    if len(raw) > LARGEST_BODY:
        raise Refused(refusals.shape_a(request_id, 413, "payload_too_large", "payload_too_large"))
    body = _parse(raw, request.headers.get("content-type", ""), request_id)
    found = problems(body)
    if found:
        raise _invalid(request_id, describe(found[0]), found)
    switches = _switches(gateway, body, request_id)
    session = request.headers.get("x-session-id") or request.headers.get("x-phaseo-session-id")
    own = body.get("provider_params", {}).get("sandbox", {})
    # A repeated create is known by its bytes: clients use a new session id for each attempt, or none at all.
    origin = f"create:{hashlib.sha256(raw).hexdigest()}" if "create_error" in own else ALL_CREATES
    webhook = _webhook(gateway, body.get("webhook"), request_id)
    return Order(body, switches, session[:128] if session else None, webhook, origin)


def _parse(raw: bytes, content_type: str, request_id: str) -> Any:
    try:
        if content_type.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(raw.decode(), strict_parsing=True))
        return json.loads(raw)
    except ValueError:
        raise Refused(refusals.shape_a(request_id, 400, "invalid_json", "invalid_json")) from None


def _invalid(request_id: str, description: str, details: list[dict[str, Any]] | None) -> Refused:
    more = {"details": details} if details else {}
    return Refused(refusals.shape_a(request_id, 400, "validation_error", description, **more))


def _switches(gateway: Gateway, body: dict[str, Any], request_id: str) -> JobSwitches:
    given = body.get("provider_params", {}).get("sandbox", {})
    try:
        if not isinstance(given, dict):
            raise UnknownSwitch("provider_params.sandbox must be an object of switches.")
        switches = apply(gateway.defaults, given)
        check_names(switches)
    except UnknownSwitch as error:
        raise _invalid(
            request_id, str(error), [issue(str(error), ["provider_params", "sandbox"], "custom")]
        ) from None
    return switches


def _webhook(gateway: Gateway, given: dict[str, Any] | None, request_id: str) -> tuple[str, list[str]] | None:
    if given is None:
        return None
    asked = _video_events(given.get("events") or [])
    if given.get("events") and not asked:
        text = "Invalid video webhook configuration"
        raise _invalid(request_id, f"{text} at webhook", [issue(text, ["webhook"], "custom")])
    try:
        uuid.UUID(given["endpoint_id"])
    except ValueError:
        raise Refused(refusals.bare_500()) from None  # the gateway's database throws on such an id
    endpoint = gateway.endpoints.find(given["endpoint_id"])
    if endpoint is None or not endpoint.active:
        text = "webhook.endpoint_id must reference an active webhook endpoint in this workspace."
        raise _invalid(request_id, text, None)
    return endpoint.id, asked or _video_events(endpoint.events) or list(FALLBACK_EVENTS)


def _video_events(events: list[str]) -> list[str]:
    """Event names as the gateway keeps them: lower case, bare phases as job.*, strangers dropped."""
    kept = []
    for event in (item.strip().lower().replace("canceled", "cancelled") for item in events):
        family, _, phase = event.rpartition(".")
        if family in ("", "job", "video") and subscribed(list(PHASES), phase):
            kept.append(event if family else f"job.{phase}")
    return kept
