"""Errors as RFC 9457 problem details, with a `code` for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from starlette.responses import Response

from orchestrator.errors import (
    Forbidden,
    Gone,
    KeyReused,
    Misshapen,
    NotAllowed,
    NotFound,
    OrchestratorError,
    Place,
    RateLimited,
    RequestError,
    StoreError,
    Unauthorized,
)
from orchestrator.telemetry import request_id

MEDIA_TYPE = "application/problem+json"
STORE_AGAIN_AFTER = 5  # seconds

# Each kind of error with its status and its code, which never changes. The first row that fits counts.
STATUSES: tuple[tuple[type[OrchestratorError], int, str], ...] = (
    (NotFound, 404, "not_found"),
    (NotAllowed, 409, "not_allowed"),
    (KeyReused, 422, "idempotency_key_reused"),
    (Gone, 410, "idempotent_jobs_gone"),
    (Unauthorized, 401, "unauthorized"),
    (Forbidden, 403, "forbidden"),
    (RateLimited, 429, "rate_limited"),
    (RequestError, 422, "invalid_request"),
    (StoreError, 503, "store_unavailable"),
)
BUG = (500, "internal_error")


def problem(
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    hint: str = "",
    places: Sequence[Place] = (),
) -> Response:
    """The answer; `hint` says what to do about it, `places` what is wrong where."""
    body: dict[str, Any] = {"type": "about:blank", "status": status, "code": code, "detail": _sound(detail)}
    if hint:
        body["hint"] = _sound(hint)
    if places:
        body["errors"] = [{"at": _sound(one.at), "detail": _sound(one.detail)} for one in places]
    if request := request_id():
        body["request_id"] = request
    return Response(json.dumps(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def of_error(error: OrchestratorError) -> Response:
    """An error of ours as an answer."""
    found = ((status, code) for kind, status, code in STATUSES if isinstance(error, kind))
    status, code = next(found, BUG)
    places = error.places if isinstance(error, Misshapen) else ()
    if isinstance(error, StoreError):  # what the database said is for the log
        detail = "the database cannot be used now"
        headers = {"Retry-After": str(STORE_AGAIN_AFTER)}
        return problem(status, code, detail, headers, hint="ask again")
    return problem(status, code, error.message, _headers(error), hint=error.hint, places=places)


def _headers(error: OrchestratorError) -> dict[str, str]:
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(ceil(error.retry.after))} if error.retry.after else {}


def _sound(text: str) -> str:
    """Without halves of surrogate pairs, which no UTF-8 has: they may be what somebody sent."""
    return text.encode(errors="replace").decode()
