"""Signed download links: they need no key and die at `expires_at` (contract section 1.5)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from typing import Any

DEFAULT_TTL, SHORTEST_TTL, LONGEST_TTL = 900, 60, 3600


class Links:
    """Makes and checks links. A sped-up sandbox shortens them, and says so in `expires_at`."""

    def __init__(self, seed: int, workspace_id: str, time_scale: float) -> None:
        self._key = f"sandbox-download:{seed}".encode()
        self._workspace_id = workspace_id
        self._time_scale = time_scale

    def make(
        self,
        base: str,
        job_id: str,
        now: float,
        index: int = 0,
        disposition: str = "attachment",
        ttl: float = DEFAULT_TTL,
    ) -> tuple[str, int]:
        """The link and the unix second it dies."""
        expires_at = math.ceil(now + ttl / self._time_scale)
        claims = {
            "workspace_id": self._workspace_id,
            "video_id": job_id,
            "index": index,
            "disposition": disposition,
        }
        packed = json.dumps(claims, separators=(",", ":")).encode()
        token = base64.urlsafe_b64encode(packed).decode().rstrip("=")
        which = f"index={index}&" if index else ""
        signature = self._sign(token, expires_at)
        query = f"{which}download_token={token}&download_sig={signature}&expires_at={expires_at}"
        return f"{base}/v1/videos/{job_id}/content?{query}", expires_at

    def read(
        self, job_id: str, token: str, signature: str, expires_at: str, now: float
    ) -> dict[str, Any] | None:
        """What a link grants, or None when it is forged, dead or for another job."""
        if not expires_at.isascii() or not expires_at.isdigit() or now > int(expires_at):
            return None
        if not hmac.compare_digest(self._sign(token, int(expires_at)).encode(), signature.encode()):
            return None
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return claims if claims["video_id"] == job_id else None

    def _sign(self, token: str, expires_at: int) -> str:
        return hmac.new(self._key, f"{token}.{expires_at}".encode(), hashlib.sha256).hexdigest()
