"""Every way in which create can go wrong, by name (contract section 1.1 and its captured answers)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from orchestrator.sandbox.refusals import api_switched_off, bare_500, diagnosis, gate_closed, shape_a, shape_b

GITHUB = "Please let us know on GitHub or Discord if you see this error."


@dataclass(frozen=True)
class Request:
    """What an error answer needs to know of the create it refuses."""

    id: str
    provider: str
    model: str
    statuses: tuple[int, ...]


@dataclass(frozen=True)
class CreateError:
    """One error: its answer (None cuts the connection), whether the job exists all the same, its meaning."""

    answer: Callable[[Request], Response] | None
    leaves_job: bool
    meaning: str


def _user(status: int, error: str, description: str, **more: Any) -> Callable[[Request], Response]:
    return lambda request: shape_a(request.id, status, error, description, **more)


def _failed(
    request: Request, statuses: list[int], code: str, message: str, hint: str, preview: Any
) -> dict[str, Any]:
    """The tail of a 502 after every provider refused."""
    sample = {
        "provider": request.provider,
        "type": "upstream_non_2xx",
        "status": statuses[0],
        "upstream_error_code": code,
        "upstream_error_message": message,
        "upstream_error_description": None,
        "upstream_error_param": None,
        "upstream_payload_preview": json.dumps({"error": preview}, separators=(",", ":")),
        "retryable": None,
    }
    return {
        "reason": "all_candidates_failed",
        "attempt_count": len(statuses),
        "failed_providers": [request.provider, "google-vertex", "x-ai", "openai"][: len(statuses)],
        "failed_statuses": sorted(set(statuses), key=statuses.index),
        "failure_sample": [sample | {"status": status} for status in statuses],
        "upstream_error": {"code": code, "message": message, "description": None, "param": None},
        "routing_diagnostics": {"workspacePolicy": {}, "dynamicRoute": None},
    } | (
        {}
        if statuses[0] in (400, 402)
        else {"provider_failure_diagnostics": diagnosis(statuses[0], request.provider)}
    )


def _summary(request: Request, statuses: list[int], code: str, message: str, hint: str) -> str:
    where = f'for endpoint "video.generation" on model "{request.model}"'
    if len(statuses) == 1:
        head = f'Provider "{request.provider}" failed with HTTP {statuses[0]} {where}.'
    else:
        head = f"All {len(statuses)} provider attempts failed {where}."
    return (
        f"{head} Upstream code: {code}. Upstream message: {message}. Hint: {hint} "
        "Inspect failure_sample for per-attempt diagnostics."
    )


_HINTS = {
    400: "The upstream provider rejected request parameters.",
    429: "The provider is rate limiting requests; retry with backoff.",
}
_WORDS = {400: ("INVALID_ARGUMENT", "Unsupported aspect"), 429: ("RESOURCE_EXHAUSTED", "Resource exhausted")}


def _upstream(
    request: Request, statuses: tuple[int, ...], code: str = "", message: str = "", **extra: Any
) -> Response:
    rows = list(statuses) or [503]
    known_code, known_message = _WORDS.get(rows[0], ("UNAVAILABLE", "The service is currently unavailable."))
    code, message = code or known_code, message or known_message
    hint = _HINTS.get(rows[0], "The provider returned a server error; retrying may succeed.")
    preview = (
        {"code": rows[0], "message": message, "status": code}
        if not extra
        else {"type": code, "message": message}
    )
    tail = _failed(request, rows, code, message, hint, preview | extra.get("preview", {}))
    return shape_a(request.id, 502, "upstream_error", _summary(request, rows, code, message, hint), **tail)


def _persistence_failed(request: Request) -> Response:
    message = (
        "Google video job was created upstream, but Phaseo could not persist gateway ownership metadata."
    )
    preview = {
        "native_video_id": "op",
        "reservation_id": f"video_hold:{request.id}",
        "reservation_status": "held",
    }
    return _upstream(request, (502,), "async_job_persistence_failed", message, preview=preview)


def _payment_required(request: Request) -> Response:
    code, message = "insufficient_funds", "Insufficient available credits for video reservation hold."
    tail = _failed(request, [402], code, message, "", {"type": code, "message": message})
    tail |= {
        "reason": "upstream_provider_payment_required",
        "provider_payment_required_provider": request.provider,
        "provider_payment_required_support_notice": GITHUB,
    }
    text = f"Oops, we forgot to pay our provider bills ({request.provider}). {GITHUB}"
    return shape_a(request.id, 502, "provider_payment_required", text, **tail)


def _executor_throws(request: Request) -> Response:
    tail = _failed(request, [0], "", "fetch failed", "", {})
    del tail["failed_statuses"], tail["provider_failure_diagnostics"]
    sample = tail["failure_sample"][0]
    sample |= {"type": "error", "status": None, "upstream_error_code": None, "upstream_payload_preview": None}
    tail["upstream_error"] |= {"code": None, "description": "TypeError: fetch failed"}
    sample |= {"upstream_error_description": "TypeError: fetch failed", "retryable": False}
    text = (
        f'Provider "{request.provider}" failed for endpoint "video.generation" on model "{request.model}". '
        "Upstream message: fetch failed. Inspect failure_sample for per-attempt diagnostics."
    )
    return shape_a(request.id, 502, "upstream_error", text, **tail)


_NO_MODEL = (
    "Unsupported model or endpoint. Please check https://phaseo.app/models for your model id, or the "
    "API Reference at https://phaseo.app/docs/v1/api-reference for valid endpoints."
)
_NO_ENDPOINT = "webhook.endpoint_id must reference an active webhook endpoint in this workspace."
_DAY = "This API key has reached its daily request limit (10/10)."

CREATE_ERRORS = {
    "webhook_refused": CreateError(
        _user(400, "validation_error", _NO_ENDPOINT),
        False,
        "400, the webhook endpoint is not active; only where the body has a webhook",
    ),
    "unsupported_model": CreateError(
        _user(400, "unsupported_model_or_endpoint", _NO_MODEL, reason="model_not_found_or_inactive"),
        False,
        "400, no such model",
    ),
    "db_error": CreateError(
        lambda request: shape_b("unauthorised", "db_error", request.id), False, "401 though the key is good"
    ),
    "key_invalid": CreateError(
        _user(401, "unauthorised", "key_invalid"), False, "401 from the later workspace check"
    ),
    "insufficient_funds": CreateError(
        _user(402, "insufficient_funds", "insufficient_balance"), False, "402, empty wallet"
    ),
    "pricing_not_configured": CreateError(
        _user(402, "pricing_not_configured", "pricing_not_configured"), False, "402, no price for the model"
    ),
    "guardrail_blocked": CreateError(
        _user(403, "guardrail_blocked", "guardrail_blocked"), False, "403, policy"
    ),
    "model_region_unavailable": CreateError(
        _user(403, "model_region_unavailable", "model_region_unavailable"), False, "403, geography"
    ),
    "payload_too_large": CreateError(_user(413, "payload_too_large", "payload_too_large"), False, "413"),
    "key_limit": CreateError(
        _user(429, "key_limit_exceeded", _DAY), False, "429, the key's own cap; no Retry-After"
    ),
    "gateway_error": CreateError(_user(500, "gateway_error", "gateway_context_failed"), False, "500 in JSON"),
    "pipeline_error": CreateError(
        _user(500, "pipeline_execution_error", "pipeline_execution_error"),
        False,
        "500 in JSON, later in the pipeline",
    ),
    "text_500": CreateError(lambda _: bare_500(), False, "text/plain 500 before the job exists"),
    "text_500_after": CreateError(lambda _: bare_500(), True, "text/plain 500 after the job exists"),
    "feature_gate": CreateError(lambda _: gate_closed(), False, "501, the feature gate; sometimes transient"),
    "api_disabled": CreateError(lambda _: api_switched_off(), False, "501, the video API switched off"),
    "upstream": CreateError(
        lambda request: _upstream(request, request.statuses),
        False,
        "502 all_candidates_failed with create_failed_statuses",
    ),
    "upstream_400": CreateError(
        lambda request: _upstream(request, (400,)), False, "502 for a provider's 400"
    ),
    "upstream_429": CreateError(
        lambda request: _upstream(request, (429,)), False, "502 for a provider's 429"
    ),
    "upstream_503": CreateError(
        lambda request: _upstream(request, (503,)), False, "502 for a provider's 503"
    ),
    "reservation_unavailable": CreateError(
        lambda request: _upstream(
            request,
            (503,),
            "reservation_unavailable",
            "Unable to reserve credits for video generation.",
            preview={},
        ),
        False,
        "502, no credits could be reserved",
    ),
    "provider_payment_required": CreateError(_payment_required, False, "502 for an empty wallet at the hold"),
    "executor_throws": CreateError(
        _executor_throws, True, "502, the call to the provider broke; the job may exist"
    ),
    "persistence_failed": CreateError(
        _persistence_failed, True, "502 async_job_persistence_failed; the job is paid for (see `persist`)"
    ),
    "persistence_failed_two": CreateError(
        lambda request: _upstream(request, (502, 502), "async_job_persistence_failed", "m", preview={}),
        True,
        "the same from two providers",
    ),
    "cut": CreateError(None, False, "connection closed after the body was read, no job"),
    "cut_after": CreateError(None, True, "connection closed after the job was made"),
}
