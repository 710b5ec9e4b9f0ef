"""What the API answers, as it answers it."""

from typing import Any

AT = "2026-11-26T02:00:00.000Z"


def job(number: int = 1, **more: Any) -> dict[str, Any]:
    """A job that waits."""
    return {
        "view": "full",
        "id": f"job_{number}",
        "reference": None,
        "state": "waiting",
        "settled": False,
        "ready": False,
        "progress": 0,
        "model": "m",
        "error": None,
        "accepted_at": AT,
        "settled_at": None,
        "cancel_requested_at": None,
        "outputs": [],
        "end_user": None,
        "account": "default",
        "request": {"model": "m", "prompt": "waves"},
        "metadata": {},
        "updates": "hybrid",
        "destinations": ["folder"],
        "state_since": AT,
        "over": False,
        "held": None,
        "needs_person": False,
        "retry_of": None,
        "gateway_id": "G-1",
        "gateway_status": "queued",
        "gateway_request_id": None,
        "provider": None,
        "won_by": None,
        "blame": None,
        "cost_usd": None,
        "looks": 0,
        "webhooks": 0,
        "clashes": 0,
        "created_at": AT,
        "deadline_at": "2026-11-26T08:00:00.000Z",
        "traceparent": None,
        "hand_offs": [],
        **more,
    }


def output(index: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "index": index,
        "available": True,
        "missing": False,
        "mime_type": "video/mp4",
        "bytes": None,
        "sha256": None,
        "url": None,
        **more,
    }


def message(seq: int, kind: str = "progress", **more: Any) -> str:
    """One event, as the stream of its job has it."""
    import json

    event = {"job_id": "job_1", "seq": seq, "type": kind, "at": AT, "state": "waiting", "data": {}, **more}
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
