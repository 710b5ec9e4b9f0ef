"""Webhooks that a test sends itself, signed as the gateway signs."""

import json
import time
from typing import Any

import httpx

from tests.acceptance.waiting import LONG
from tests.signing import signature


def send(
    url: str, secret: str, gateway_id: str, event: str, status: str, *, client: httpx.Client | None = None
) -> tuple[int, dict[str, Any]]:
    """Tell the receiver that a job has this status; what it answers. `client` keeps its connections."""
    answer = post(url, secret, gateway_id, event, status, client=client)
    return answer.status_code, answer.json()


def post(
    url: str, secret: str, gateway_id: str, event: str, status: str, *, client: httpx.Client | None = None
) -> httpx.Response:
    """The same, for the whole answer."""
    body = {
        "id": f"evt_{gateway_id}_{event}_{time.monotonic_ns()}",
        "type": event,
        "data": {"id": gateway_id, "status": status},
    }
    raw, timestamp = json.dumps(body).encode(), str(int(time.time()))
    headers = {
        "content-type": "application/json",
        "x-phaseo-timestamp": timestamp,
        "x-phaseo-signature": signature(secret, timestamp, raw).hex(),
    }
    if client is None:
        return httpx.post(url, content=raw, headers=headers, trust_env=False, timeout=LONG, verify=False)
    return client.post(url, content=raw, headers=headers)
