"""One signed webhook request over HTTP (contract sections 4.1 and 4.2)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport

from orchestrator.sandbox.snapshot import MAX_ATTEMPTS
from orchestrator.sandbox.state import Delivery, Endpoint
from orchestrator.sandbox.switches import JobSwitches

PREVIEW_BYTES = 500


@dataclass(frozen=True)
class Attempt:
    """What one attempt led to."""

    status: int | None
    error: str | None
    preview: str | None

    @property
    def delivered(self) -> bool:
        """Only a 2xx counts."""
        return self.error is None


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Lowercase hex HMAC over `timestamp.body`; the key is the whole secret string, prefix included."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class Sender:
    """Sends webhooks through one pooled client."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    def _pool(self) -> httpx.AsyncClient:
        # Made at first use, inside the running loop. aiohttp's connections, because httpx's own pool slows
        # to a crawl above some twenty of them.
        if self._client is None:
            transport = AiohttpTransport(limits=httpx.Limits(max_connections=200), trust_env=False)
            self._client = httpx.AsyncClient(
                transport=transport, timeout=self._timeout, follow_redirects=False
            )
        return self._client

    async def close(self) -> None:
        """Close the pool."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def attempt(
        self,
        endpoint: Endpoint,
        faults: JobSwitches,
        delivery: Delivery,
        body: dict[str, Any],
        now: float,
        pauses: Sequence[float],
    ) -> Attempt:
        """Make one attempt, with the losses that the job's switches ask for, and a copy after each pause."""
        if delivery.attempts <= faults.webhook_fail_attempts:
            return Attempt(None, "fetch failed", None)
        raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        secret = "whsec_nobody-has-this" if faults.webhook_wrong_secret else endpoint.secret
        timestamp = str(int(now + faults.webhook_timestamp_offset))
        headers = _headers(faults, delivery, timestamp, sign(secret, timestamp, raw))
        copies = 1 + faults.webhook_concurrent
        results = await asyncio.gather(*(self._post(endpoint.url, raw, headers) for _ in range(copies)))
        if results[0].delivered:
            for pause in pauses:
                await asyncio.sleep(pause)
                await self._post(endpoint.url, raw, headers)
        return results[0]

    async def _post(self, url: str, raw: bytes, headers: dict[str, str]) -> Attempt:
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._pool().post(url, content=raw, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Attempt(None, str(error) or type(error).__name__, None)
        preview = answer.content[:PREVIEW_BYTES].decode(errors="replace") or None
        return Attempt(answer.status_code, _complaint(answer.status_code), preview)


def _complaint(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return "Webhook redirects are not allowed" if 300 <= status < 400 else f"Webhook returned HTTP {status}"


def _headers(faults: JobSwitches, delivery: Delivery, timestamp: str, signature: str) -> dict[str, str]:
    family, agent = ("x-ai-stats", "AI-Stats") if faults.webhook_legacy else ("x-phaseo", "Phaseo")
    return {
        "Content-Type": "application/json",
        "User-Agent": f"{agent}-Async-Webhook/1.0",
        f"{family}-event-id": delivery.event_id,
        f"{family}-event-type": delivery.type,
        f"{family}-delivery-key": delivery.key,
        f"{family}-attempt": str(delivery.attempts),
        f"{family}-max-attempts": str(MAX_ATTEMPTS),
        f"{family}-timestamp": timestamp,
        f"{family}-signature": signature,
    }
