"""The gateway's three shapes of error, and its bare text (contract sections 1.1, 1.2 and 5)."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

_CODES = {
    "unauthorised": 401,
    "invalid_json": 400,
    "validation_error": 400,
    "not_supported": 400,
    "not_found": 404,
    "not_ready": 409,
    "gateway_error": 500,
    "not_implemented_yet": 501,
    "upstream_error": 502,
}
_ORIGINS = {"gateway_error": ("system", "gateway"), "upstream_error": ("system", "upstream")}
NO_STORE = {"cache-control": "no-store"}


def shape_a(request_id: str, status: int, error: str, description: str, **more: Any) -> Response:
    """An error of the create pipeline."""
    kind, origin = _blame(error, status)
    body = {
        "generation_id": request_id,
        "status_code": status,
        "error": error,
        "error_type": kind,
        "error_origin": origin,
        "description": description,
        **more,
    }
    attribution = "user" if kind == "user" else "upstream"
    headers = {"x-gateway-error-attribution": attribution, "x-gateway-error-origin": origin}
    return JSONResponse(body, status, headers | NO_STORE)


def _blame(error: str, status: int) -> tuple[str, str]:
    if status < 500:
        return "user", "user"
    return "system", "upstream" if status == 502 else "gateway"


def shape_b(
    error: str, reason: str, request_id: str | None, workspace: str | None = None, **more: Any
) -> Response:
    """An error of any other video route, and of the guards before create."""
    kind, origin = _ORIGINS.get(error, ("user", "user"))
    body: dict[str, Any] = {"error": error, "reason": reason}
    if request_id is not None:
        body["request_id"] = request_id
    if workspace is not None:
        body["workspace_id"] = workspace
    body |= more | {"status_code": _CODES[error], "error_type": kind, "error_origin": origin}
    if request_id is not None:
        body["generation_id"] = request_id
    return JSONResponse(body, _CODES[error], NO_STORE)


def shape_c(status: int, kind: str, message: str, details: Any = None) -> Response:
    """An error of the control routes."""
    error = {"type": kind, "message": message} | ({"details": details} if details is not None else {})
    return JSONResponse({"error": error}, status)


def missing_scope(scope: str) -> Response:
    """A control route for a management key that may not use it."""
    return JSONResponse({"error": "insufficient_scope", "message": f"Token requires {scope}"}, 403)


def batch_gate_closed(workspace: str) -> Response:
    """A control route in a workspace without the batch feature."""
    body = {
        "error": "forbidden",
        "reason": "batch_api_feature_flag_disabled",
        "message": "Webhook endpoint settings are currently limited to the enabled Batch API segment.",
        "feature_gate": "gateway_batch_api",
        "workspace_id": workspace,
        "status_code": 403,
        "error_type": "user",
        "error_origin": "gateway",
    }
    return JSONResponse(body, 403)


def bare_500() -> Response:
    """What an uncaught fault of the gateway looks like."""
    return PlainTextResponse("Internal Server Error", 500, {"content-type": "text/plain; charset=UTF-8"})


def gate_closed() -> Response:
    """The feature gate, which fails closed and is therefore sometimes transient."""
    return shape_b(
        "not_implemented_yet",
        "video_api_feature_disabled",
        None,
        message="Video API access is not enabled for this workspace.",
        feature_gate="gateway_video_api",
    )


def api_switched_off() -> Response:
    """The whole video API switched off."""
    return shape_b(
        "not_implemented_yet",
        "video_api_temporarily_disabled",
        None,
        message="Video endpoints are temporarily disabled while the public contract is finalized.",
    )


def diagnosis(upstream_status: int, provider: str | None) -> dict[str, Any]:
    """The gateway's guess at what an upstream status means."""
    if upstream_status == 429:
        category, hint = (
            "rate_limited",
            "The provider is rate limiting this request. Retry with backoff or another provider.",
        )
    elif upstream_status == 404:
        category = "model_unavailable_for_endpoint"
        hint = "The provider does not appear to expose this model on the requested endpoint yet."
    else:
        category, hint = (
            "server_error",
            "The provider returned a server-side failure. Retrying later may succeed.",
        )
    return {"category": category, "hint": hint, "provider": provider}


_UPSTREAM = {
    400: ("INVALID_ARGUMENT", "Unsupported aspect"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    429: ("RESOURCE_EXHAUSTED", "Resource exhausted"),
}


def upstream_words(upstream_status: int) -> tuple[str, str]:
    """Code and message that a provider gives with an HTTP status."""
    return _UPSTREAM.get(upstream_status, ("UNAVAILABLE", "The service is currently unavailable."))
