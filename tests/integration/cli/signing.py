"""Webhooks as the gateway signs them."""

import json
import time
from typing import Any

from tests.signing import signature


def completed(gateway_id: str) -> dict[str, Any]:
    """The end of a job."""
    data = {"id": gateway_id, "object": "video", "status": "completed"}
    return {"id": f"evt_{gateway_id}", "type": "video.completed", "data": data}


def signed(payload: dict[str, Any], secret: str) -> tuple[dict[str, str], bytes]:
    """Headers and body."""
    body, at = json.dumps(payload).encode(), str(int(time.time()))
    return {"x-phaseo-timestamp": at, "x-phaseo-signature": signature(secret, at, body).hex()}, body
