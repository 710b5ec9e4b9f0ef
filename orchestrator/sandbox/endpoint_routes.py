"""The control routes for webhook endpoints, with a management key (contract section 5)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.sandbox.auth import gateway_of, refuse_management_key
from orchestrator.sandbox.clock import iso
from orchestrator.sandbox.endpoints import DEFAULT_EVENTS, check_url
from orchestrator.sandbox.gateway import Gateway
from orchestrator.sandbox.refusals import batch_gate_closed, missing_scope, shape_c
from orchestrator.sandbox.state import Endpoint

Handler = Callable[[Request], Awaitable[Response]]


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        return refuse_management_key(request) or _refused(request) or await handler(request)

    return guarded


def _refused(request: Request) -> Response | None:
    """403 for a key without the scope, or for a workspace without the batch feature."""
    live, scope = gateway_of(request).live, "read" if request.method == "GET" else "write"
    if live.management_scopes not in (scope, "write"):
        return missing_scope(f"settings:{scope}")
    if live.batch_gate_closed:
        return batch_gate_closed(gateway_of(request).config.workspace_id)
    return None


def _on_endpoint(handler: Callable[[Request, Gateway, Endpoint], Awaitable[Response]]) -> Handler:
    """A guarded route about one endpoint that exists."""

    async def found(request: Request) -> Response:
        gateway = gateway_of(request)
        endpoint = gateway.endpoints.find(request.path_params["id"])
        if endpoint is None or endpoint.deleted_at is not None:
            return shape_c(404, "not_found", "Webhook endpoint not found.")
        return await handler(request, gateway, endpoint)

    return _guarded(found)


def _shown(gateway: Gateway, endpoint: Endpoint, **more: Any) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "workspaceId": gateway.config.workspace_id,
        "name": endpoint.name,
        "url": endpoint.url,
        "status": endpoint.status,
        "events": endpoint.events,
        "hasSecret": True,
        "createdBy": None,
        "createdAt": iso(endpoint.created_at),
        "updatedAt": iso(endpoint.updated_at),
        "deletedAt": iso(endpoint.deleted_at) if endpoint.deleted_at else None,
        **more,
    }


def _problems(body: Any, required: tuple[str, ...]) -> list[dict[str, Any]]:
    if not isinstance(body, dict):
        return [
            {
                "expected": "object",
                "code": "invalid_type",
                "path": [],
                "message": "Invalid input: expected object",
            }
        ]
    found = []
    for name in ("name", "url"):
        value = body.get(name)
        if name == "name" and isinstance(value, str) and not 1 <= len(value) <= 120:
            found.append(_length_problem(value))
        elif (value is None and name in required) or not isinstance(value, str | None):
            text = f"Invalid input: expected string, received {'undefined' if value is None else 'other'}"
            found.append({"expected": "string", "code": "invalid_type", "path": [name], "message": text})
    if not isinstance(body.get("events", []), list) or not all(
        isinstance(item, str) for item in body.get("events", [])
    ):
        found.append(
            {
                "expected": "array",
                "code": "invalid_type",
                "path": ["events"],
                "message": "Invalid input: expected array",
            }
        )
    if body.get("status", "active") not in ("active", "disabled"):
        text = 'Invalid option: expected one of "active"|"disabled"'
        found.append({"code": "invalid_value", "path": ["status"], "message": text})
    return found


def _length_problem(value: str) -> dict[str, Any]:
    if not value:
        text = "Too small: expected string to have >=1 characters"
        return {
            "origin": "string",
            "code": "too_small",
            "minimum": 1,
            "inclusive": True,
            "path": ["name"],
            "message": text,
        }
    text = "Too big: expected string to have <=120 characters"
    return {
        "origin": "string",
        "code": "too_big",
        "maximum": 120,
        "inclusive": True,
        "path": ["name"],
        "message": text,
    }


async def _body(request: Request, *required: str) -> dict[str, Any] | Response:
    """The checked body with its URL made canonical, or the error to answer."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return shape_c(400, "validation_error", "Invalid webhook endpoint payload.")
    found = _problems(body, required)
    if found:
        return shape_c(400, "validation_error", "Invalid webhook endpoint payload.", found)
    if "url" in body:
        url, reason = check_url(body["url"], gateway_of(request).config.allow_private_webhooks)
        if url is None:
            return shape_c(400, "validation_error", "Invalid webhook endpoint URL.", {"reason": reason})
        body["url"] = url
    if "events" in body:
        body["events"] = [event.lower() for event in body["events"]]  # names are not checked
    return dict(body)


async def _create(request: Request) -> Response:
    gateway = gateway_of(request)
    body = await _body(request, "url")
    if isinstance(body, Response):
        return body
    name, events = body.get("name", "Async webhooks"), body.get("events") or list(DEFAULT_EVENTS)
    endpoint = gateway.endpoints.create(body["url"], name, events, gateway.clock.now())
    return JSONResponse(_shown(gateway, endpoint, signing_secret=endpoint.secret), 201)


async def _list(request: Request) -> Response:
    gateway, query = gateway_of(request), request.query_params
    limit, offset = (
        int(text) if (text := query.get(name, "")).isdigit() else None for name in ("limit", "offset")
    )
    rows = gateway.endpoints.everything(query.get("include_deleted") == "true")
    page = rows[offset or 0 :][: min(limit or 100, 100)]
    return JSONResponse({"object": "list", "data": [_shown(gateway, row) for row in page]})


async def _get(request: Request, gateway: Gateway, endpoint: Endpoint) -> Response:
    return JSONResponse(_shown(gateway, endpoint))


async def _patch(request: Request, gateway: Gateway, endpoint: Endpoint) -> Response:
    body = await _body(request)
    if isinstance(body, Response):
        return body
    for name in ("name", "url", "events", "status"):
        setattr(endpoint, name, body.get(name, getattr(endpoint, name)))
    endpoint.updated_at = gateway.clock.now()
    return JSONResponse(_shown(gateway, endpoint))


async def _rotate(request: Request, gateway: Gateway, endpoint: Endpoint) -> Response:
    gateway.endpoints.rotate(endpoint, gateway.clock.now())
    return JSONResponse(_shown(gateway, endpoint, signing_secret=endpoint.secret))


async def _delete(request: Request, gateway: Gateway, endpoint: Endpoint) -> Response:
    endpoint.deleted_at = endpoint.updated_at = gateway.clock.now()
    return JSONResponse({"id": endpoint.id, "object": "webhook_endpoint", "deleted": True})


_ALL, _ONE = "/v1/webhook-endpoints", "/v1/webhook-endpoints/{id}"
ROUTES = [
    Route(_ALL, _guarded(_create), methods=["POST"]),
    Route(_ALL, _guarded(_list), methods=["GET"]),
    Route(_ONE, _on_endpoint(_get), methods=["GET"]),
    Route(_ONE, _on_endpoint(_patch), methods=["PATCH"]),
    Route(_ONE, _on_endpoint(_delete), methods=["DELETE"]),
    Route(f"{_ONE}/rotate-secret", _on_endpoint(_rotate), methods=["POST"]),
]
