"""Every way in which create can go wrong, by name (contract section 1.1 and its captured answers)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from orchestrator.sandbox.refusals import (
    api_switched_off,
    bare_500,
    diagnosis,
    gate_closed,
    shape_a,
    shape_b,
    upstream_words,
)

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


@dataclass(frozen=True)
class Failure:
    """What the providers said, one status each, before the gateway gave up."""

    statuses: tuple[int, ...]
    code: str
    message: str
    preview: dict[str, Any]

    @property
    def hint(self) -> str:
        """The gateway's advice inside the description."""
        if self.statuses[0] == 400:
            return "The upstream provider rejected request parameters."
        if self.statuses[0] == 429:
            return "The provider is rate limiting requests; retry with backoff."
        return "The provider returned a server error; retrying may succeed."


def _failure(statuses: tuple[int, ...]) -> Failure:
    """An ordinary refusal with these statuses."""
    code, message = {400: ("INVALID_ARGUMENT", "Unsupported aspect")}.get(
        statuses[0], upstream_words(statuses[0])
    )
    return Failure(statuses, code, message, {"code": statuses[0], "message": message, "status": code})


def _own_failure(statuses: tuple[int, ...], code: str, message: str, **preview: Any) -> Failure:
    """A failure inside the gateway that is dressed as the provider's."""
    return Failure(statuses, code, message, {"type": code, "message": message, **preview})


def _tail(request: Request, failure: Failure) -> dict[str, Any]:
    """The fields that follow the description of a 502."""
    statuses = list(failure.statuses)
    sample = {
        "provider": request.provider,
        "type": "upstream_non_2xx",
        "status": None,
        "upstream_error_code": failure.code,
        "upstream_error_message": failure.message,
        "upstream_error_description": None,
        "upstream_error_param": None,
        "upstream_payload_preview": json.dumps({"error": failure.preview}, separators=(",", ":")),
        "retryable": None,
    }
    tail = {
        "reason": "all_candidates_failed",
        "attempt_count": len(statuses),
        "failed_providers": [request.provider, "google-vertex", "x-ai", "openai"][: len(statuses)],
        "failed_statuses": sorted(set(statuses), key=statuses.index),
        "failure_sample": [sample | {"status": status} for status in statuses],
        "upstream_error": {
            "code": failure.code,
            "message": failure.message,
            "description": None,
            "param": None,
        },
        "routing_diagnostics": {"workspacePolicy": {}, "dynamicRoute": None},
    }
    if statuses[0] not in (400, 402):
        tail["provider_failure_diagnostics"] = diagnosis(statuses[0], request.provider)
    return tail


def _upstream(request: Request, failure: Failure) -> Response:
    where = f'for endpoint "video.generation" on model "{request.model}"'
    if len(failure.statuses) == 1:
        head = f'Provider "{request.provider}" failed with HTTP {failure.statuses[0]} {where}.'
    else:
        head = f"All {len(failure.statuses)} provider attempts failed {where}."
    text = (
        f"{head} Upstream code: {failure.code}. Upstream message: {failure.message}. Hint: {failure.hint} "
        "Inspect failure_sample for per-attempt diagnostics."
    )
    return shape_a(request.id, 502, "upstream_error", text, **_tail(request, failure))


def _persistence_failed(request: Request) -> Response:
    message = (
        "Google video job was created upstream, but Phaseo could not persist gateway ownership metadata."
    )
    hold = {"reservation_id": f"video_hold:{request.id}", "reservation_status": "held"}
    failure = _own_failure((502,), "async_job_persistence_failed", message, native_video_id="op", **hold)
    return _upstream(request, failure)


def _payment_required(request: Request) -> Response:
    message = "Insufficient available credits for video reservation hold."
    tail = _tail(request, _own_failure((402,), "insufficient_funds", message)) | {
        "reason": "upstream_provider_payment_required",
        "provider_payment_required_provider": request.provider,
        "provider_payment_required_support_notice": GITHUB,
    }
    text = f"Oops, we forgot to pay our provider bills ({request.provider}). {GITHUB}"
    return shape_a(request.id, 502, "provider_payment_required", text, **tail)


def _executor_throws(request: Request) -> Response:
    thrown = "TypeError: fetch failed"
    tail = _tail(request, Failure((0,), "", "fetch failed", {}))
    del tail["failed_statuses"], tail["provider_failure_diagnostics"]  # nobody answered
    tail["failure_sample"][0] |= {
        "type": "error",
        "status": None,
        "upstream_error_code": None,
        "upstream_error_description": thrown,
        "upstream_payload_preview": None,
        "retryable": False,
    }
    tail["upstream_error"] |= {"code": None, "description": thrown}
    text = (
        f'Provider "{request.provider}" failed for endpoint "video.generation" on model "{request.model}". '
        "Upstream message: fetch failed. Inspect failure_sample for per-attempt diagnostics."
    )
    return shape_a(request.id, 502, "upstream_error", text, **tail)


_NO_MODEL = (
    "Unsupported model or endpoint. Please check https://phaseo.app/models for your model id, or the "
    "API Reference at https://phaseo.app/docs/v1/api-reference for valid endpoints."
)
_NO_CREDITS = "Unable to reserve credits for video generation."
_NO_ENDPOINT = "webhook.endpoint_id must reference an active webhook endpoint in this workspace."
_DAY = "This API key has reached its daily request limit (10/10)."

CREATE_ERRORS = {
    "webhook_refused": CreateError(
        _user(400, "validation_error", _NO_ENDPOINT),
        False,
        "400, the endpoint is not active; only for bodies with a webhook",
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
        lambda request: _upstream(request, _failure(request.statuses or (503,))),
        False,
        "502 all_candidates_failed with create_failed_statuses",
    ),
    "upstream_400": CreateError(
        lambda request: _upstream(request, _failure((400,))), False, "502 for a provider's 400"
    ),
    "upstream_429": CreateError(
        lambda request: _upstream(request, _failure((429,))), False, "502 for a provider's 429"
    ),
    "upstream_503": CreateError(
        lambda request: _upstream(request, _failure((503,))), False, "502 for a provider's 503"
    ),
    "reservation_unavailable": CreateError(
        lambda request: _upstream(request, _own_failure((503,), "reservation_unavailable", _NO_CREDITS)),
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
        lambda request: _upstream(request, _own_failure((502, 502), "async_job_persistence_failed", "m")),
        True,
        "the same from two providers",
    ),
    "cut": CreateError(None, False, "connection closed after the body was read, no job"),
    "cut_after": CreateError(None, True, "connection closed after the job was made"),
}
