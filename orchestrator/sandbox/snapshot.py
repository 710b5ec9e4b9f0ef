"""The 49 keys that webhooks and WebSocket frames tell about a job (contract section 4.5)."""

from __future__ import annotations

from typing import Any

from orchestrator.sandbox.answers import LIFECYCLE, Scribe, size_of, webhook_block
from orchestrator.sandbox.billing import billing_in_webhook, pricing_breakdown, reservation_status
from orchestrator.sandbox.clock import iso
from orchestrator.sandbox.state import Delivery, Job

MAX_ATTEMPTS = 4


def snapshot(job: Job, scribe: Scribe, now: float, progress: int | None = None) -> dict[str, Any]:
    """The stored job as of now, with a fresh download link when completed."""
    status = "processing" if job.stored == "in_progress" else job.stored
    completed = status == "completed"
    link, expires_at = (
        scribe.links.make(scribe.base, job.id, now) if completed and scribe.signing else (None, None)
    )
    lasted = int((job.finalized_at - job.created_at) * 1000) if job.finalized_at else None
    lasted = lasted if status in ("completed", "failed") else None
    body: dict[str, Any] = {
        "id": job.id,
        "object": "video",
        "kind": "video",
        "status": status,
        "lifecycle_status": LIFECYCLE.get(status, status),
        "request_id": job.id,
        "native_id": job.native_id,
        "session_id": job.session_id,
        "app_id": None,
        "progress": progress if progress is not None else 100 if completed else 0,
        "provider": job.profile.name,
        "model": job.model,
        "polling_url": f"{scribe.base}/v1/videos/{job.id}",
        "websocket_url": scribe.websocket_url(job),
        "cancel_url": _cancel_url(job, scribe, status),
        "content_url": scribe.content_url(job),
        "download_url": link,
        "expires_at": expires_at,
        "duration_seconds": job.seconds,
        "duration_ms": lasted,
        "total_duration_ms": lasted,
        "latency_ms": None,
        "generation_ms": lasted if completed else None,
        "resolution": size_of(job),
        "quality": None,
        "output_access": job.body.get("output", {}).get("access", "both"),
    }
    return (
        body
        | _bookkeeping(job)
        | {
            "pricing_breakdown": pricing_breakdown(job),
            "billing": billing_in_webhook(job),
            "created_at": iso(job.created_at),
            "updated_at": iso(job.updated_at),
        }
    )


def _cancel_url(job: Job, scribe: Scribe, status: str) -> str | None:
    # The gateway offers this for some providers although cancel always answers 501.
    offered = job.profile.name in ("openai", "alibaba", "runway") and status in LIFECYCLE
    return f"{scribe.base}/v1/videos/{job.id}/cancel" if offered else None


def _bookkeeping(job: Job) -> dict[str, Any]:
    last = job.history[-1] if job.history else {}
    return {
        "webhook": webhook_block(job) if job.webhook_endpoint else None,
        "key_source": "gateway",
        "byok_key_id": None,
        "reservation_id": f"video_hold:{job.id}",
        "reservation_status": reservation_status(job),
        "next_webhook_retry_at": last.get("next_retry_at"),
        "last_webhook_progress": None,
        "last_webhook_progress_at": None,
        "last_webhook_dispatched_at": last.get("tried_at"),
        "finalized_at": iso(job.finalized_at) if job.finalized_at else None,
        "last_polled_at": None,
        "polled_status": None,
        "last_reconciled_at": None,
        "upstream_error": None,
        "provider_failure_diagnostics": None,
        "failure_sample": None,
        "routing_diagnostics": None,
        "provider_enablement": None,
        "provider_candidate_diagnostics": None,
    }


def envelope(job: Job, delivery: Delivery, scribe: Scribe, now: float) -> dict[str, Any]:
    """One webhook body, rebuilt at each attempt."""
    body: dict[str, Any] = {} if job.switches.webhook_bare else {"id": delivery.event_id}
    body |= {"type": delivery.type, "created_at": int(now)}
    if not job.switches.webhook_bare:
        body["delivery"] = {"key": delivery.key, "attempt": delivery.attempts, "max_attempts": MAX_ATTEMPTS}
    body["data"] = snapshot(job, scribe, now, delivery.progress)
    return body | ({"status_change": delivery.status_change} if delivery.status_change else {})
