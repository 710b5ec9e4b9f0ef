"""What the gateway's contract foresees, as names: fields of answers and webhooks, headers, words.

Every recorded answer is within these: a test says so. Fields are by where they are in the answer; what
a provider fills as it likes (`error`, `meta`, diagnostics) is not looked into.
"""

from __future__ import annotations

Fields = dict[str, frozenset[str]]


def _named(names: str) -> frozenset[str]:
    return frozenset(names.split())


# 2.5
_BILLING = _named(
    "currency estimated_provider_cost estimated_user_cost settled_provider_cost settled_user_cost state "
    "billable total_nanos estimated_nanos reserved_nanos reservation_id reservation_status charge_reason "
    "charged billed_at"
)
# 1.3, and the rows of the history as they were recorded
_WEBHOOK = {
    "webhook": _named("endpoint_id url events has_secret delivery attempts"),
    "webhook.delivery": _named(
        "total_attempts delivered_events delivered_event_types pending_retries next_retry_at last_attempt_at "
        "last_attempt_status last_response_status last_delivered_at last_failure_at last_error_message"
    ),
    "webhook.attempts": _named(
        "id delivery_key event_type status attempt_number max_attempts tried_at delivered_at next_retry_at "
        "response_status error_message response_body_preview"
    ),
}

# 1.1, with what OpenAI's jobs and older generations add
OF_CREATE: Fields = {
    "": _named(
        "requestId id object model status progress completed_at expires_at error prompt "
        "remixed_from_video_id nativeResponseId provider meta usage created_at seconds size quality "
        "polling_url"
    ),
    "usage": _named("input_tokens output_tokens total_tokens"),
}

# 1.3
OF_STATUS: Fields = {
    "": _named(
        "id object status lifecycle_status output_access progress progress_source polling_url websocket_url "
        "poll_after_seconds cancel_url generation_id native_video_id created_at started_at completed_at "
        "expires_at provider model seconds size audio prompt remixed_from_video_id quality asset outputs "
        "usage error billing webhook next_webhook_retry_at last_webhook_progress last_webhook_progress_at "
        "last_webhook_dispatched_at content_url download_url"
    ),
    "asset": _named("id mime_type bytes sha256 width height duration_seconds"),
    "outputs": _named("index mime_type bytes_available content_url download_url expires_at"),
    "usage": _named("output_video_seconds cost cost_usd costUsd pricing_breakdown is_byok"),
    "billing": _BILLING,
    **_WEBHOOK,
}

# 1.6
OF_LIST: Fields = {"": _named("object data first_id last_id has_more")}

# 4.5: the `data` of a webhook, and of a WebSocket frame
OF_STORED: Fields = {
    "": _named(
        "id object kind status lifecycle_status request_id native_id session_id app_id progress provider "
        "model polling_url websocket_url cancel_url content_url download_url expires_at duration_seconds "
        "duration_ms total_duration_ms latency_ms generation_ms resolution quality output_access webhook "
        "key_source byok_key_id reservation_id reservation_status next_webhook_retry_at "
        "last_webhook_progress last_webhook_progress_at last_webhook_dispatched_at finalized_at "
        "last_polled_at polled_status last_reconciled_at upstream_error provider_failure_diagnostics "
        "failure_sample routing_diagnostics provider_enablement provider_candidate_diagnostics "
        "pricing_breakdown billing created_at updated_at"
    ),
    "billing": _BILLING,
    **_WEBHOOK,
}
OF_ENVELOPE: Fields = {
    "": _named("id type created_at delivery data status_change"),
    "delivery": _named("key attempt max_attempts"),
    "status_change": _named("previous_status status"),
}

# 2.1
LIFECYCLE = _named("pending running completed failed cancelled canceled expired")

# 1.1, 1.2, 5 and 6: `error`, or its `type` or `code` where it is an object
ERROR_CODES = _named(
    "unauthorised invalid_json validation_error not_supported not_found not_ready gateway_error "
    "not_implemented not_implemented_yet upstream_error unsupported_model_or_endpoint insufficient_funds "
    "pricing_not_configured guardrail_blocked model_region_unavailable payload_too_large key_limit_exceeded "
    "pipeline_execution_error provider_payment_required forbidden insufficient_scope "
    "management_key_not_valid_for_gateway websocket_upgrade_required invalid_async_job_path "
    "async_job_not_found_or_not_owned"
)

# 1.3: the polling hint of every status answer
HINT = 20

# 4.1: all are always there. Whoever still sends the older family (0) sent fewer at times.
FAMILY = "x-phaseo-"
OF_WEBHOOKS = frozenset(
    FAMILY + name
    for name in _named("event-id event-type delivery-key attempt max-attempts timestamp signature")
)
SENDERS = ("Phaseo-Async-Webhook/1.0", "AI-Stats-Async-Webhook/1.0")

# 1.2: no answer has a header with any of these beginnings, but for the two that tell whose an error is (1.1).
# Others may be a proxy's, and say nothing of the gateway.
TELLING = (
    "retry-after",
    "ratelimit",
    "x-ratelimit",
    "x-request-id",
    "request-id",
    "x-phaseo-",
    "x-gateway-",
    "deprecation",
    "sunset",
)
OF_ERRORS = _named("x-gateway-error-attribution x-gateway-error-origin")
