"""Where things are at a gateway. Nothing is asked here, and no key is needed."""

from __future__ import annotations

from orchestrator.errors import NEVER, BadAnswer
from orchestrator.gateway import reading


def quoted(gateway_id: str) -> str:
    """A job's id as it goes into a URL: the letters allowed need no percent sign. Raises BadAnswer."""
    if reading.gateway_id(gateway_id) is None:
        raise BadAnswer(f"{gateway_id[:40]!r} is not a job id", reason="bad_gateway_id", retry=NEVER)
    return gateway_id


def content_url(base_url: str, gateway_id: str, index: int = 0) -> str:
    """Where whoever has the account's key reads an output. Raises BadAnswer."""
    path = f"{base_url}/videos/{quoted(gateway_id)}/content"
    return f"{path}?index={index}" if index else path  # as the gateway writes it (contract 8, 13)
