"""Money as the gateway shows it: three cents a second, held, then settled (contract section 2.5)."""

from __future__ import annotations

from typing import Any

from orchestrator.sandbox.clock import iso
from orchestrator.sandbox.state import Job

NANOS_PER_SECOND = 30_000_000
_UNHAPPY = ("failed", "cancelled", "expired")


def _nanos(job: Job) -> int:
    return job.seconds * NANOS_PER_SECOND


def _dollars(job: Job) -> str:
    return f"{_nanos(job) / 1e9:.2f}"


def usage(job: Job) -> dict[str, Any]:
    """The `usage` object of GET."""
    cost = _nanos(job) / 1e9
    return {
        "output_video_seconds": job.seconds,
        "cost_usd": cost,
        "costUsd": cost,
        "pricing_breakdown": {"total_nanos": _nanos(job), "total_usd_str": f"{cost:.9f}"},
        "cost": cost,
        "is_byok": False,
    }


def reservation_status(job: Job) -> str:
    """What became of the hold, by stored state."""
    if job.stored == "completed":
        return "captured"
    return "released" if job.stored in _UNHAPPY else "held"


def _billing(job: Job, state: str, billable: bool, settled: str | None) -> dict[str, Any]:
    return {
        "currency": "usd",
        "estimated_provider_cost": _dollars(job),
        "estimated_user_cost": _dollars(job),
        "settled_provider_cost": settled,
        "settled_user_cost": settled,
        "state": state,
        "billable": billable,
        "total_nanos": None,
        "estimated_nanos": _nanos(job),
        "reserved_nanos": _nanos(job),
        "reservation_id": f"video_hold:{job.id}",
        "reservation_status": "held",
        "charge_reason": None,
        "charged": None,
    }


def _settled(job: Job) -> dict[str, Any]:
    outcome: dict[str, Any] = {
        "reservation_status": reservation_status(job),
        "charge_reason": reservation_status(job),
    }
    completed = job.stored == "completed"
    outcome |= {"total_nanos": _nanos(job) if completed else 0, "charged": completed}
    if job.stored in ("completed", "failed") and job.finalized_at is not None:
        outcome["billed_at"] = iso(job.finalized_at)
    return outcome


def billing_in_get(job: Job, status: str, fresh: bool) -> dict[str, Any]:
    """Billing beside a live status; money follows the stored state, so a regressed GET can say `settled`."""
    if job.stored == "completed" and not fresh:
        return _billing(job, "settled", True, _dollars(job)) | _settled(job)
    if status == "completed":
        return _billing(job, "pending", False, None)
    if status in _UNHAPPY:
        return _billing(job, "void", False, "0.00")
    return _billing(job, "estimated", True, None)


def billing_in_webhook(job: Job) -> dict[str, Any]:
    """Billing in webhooks and WebSocket frames, where an estimate is not billable."""
    if job.stored == "completed":
        return _billing(job, "settled", True, _dollars(job)) | _settled(job)
    if job.stored in _UNHAPPY:
        return _billing(job, "void", False, "0.00") | _settled(job)
    return _billing(job, "estimated", False, None)


def pricing_breakdown(job: Job) -> dict[str, Any] | None:
    """The price of a completed job, as webhooks show it."""
    if job.stored != "completed":
        return None
    dollars = _nanos(job) / 1e9
    return {
        "total_nanos": _nanos(job),
        "total_usd": dollars,
        "total_usd_str": f"{dollars:.9f}",
        "currency": "USD",
    }
