"""Webhooks that a test sends itself, signed as the gateway signs."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx


def send(url: str, secret: str, gateway_id: str, event: str, status: str) -> tuple[int, dict[str, Any]]:
    """Tell the receiver that a job has this status; what it answers."""
    body = {
        "id": f"evt_{gateway_id}_{event}_{time.monotonic_ns()}",
        "type": event,
        "data": {"id": gateway_id, "status": status},
    }
    raw, timestamp = json.dumps(body).encode(), str(int(time.time()))
    signature = hmac.new(secret.encode(), timestamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json",
        "x-phaseo-timestamp": timestamp,
        "x-phaseo-signature": signature,
    }
    answer = httpx.post(url, content=raw, headers=headers, trust_env=False)
    return answer.status_code, answer.json()
