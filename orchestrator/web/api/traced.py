"""The caller's trace, by W3C Trace Context: kept with a job, so that its traces can be joined."""

from __future__ import annotations

import re

from starlette.requests import Request

# Version 00; of a later one, its beginning means the same.
_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?=-|$)")
_LENGTH = 55


def traceparent(request: Request) -> str | None:
    """The header, or None where it is not sound: it is for joining traces, and no reason to refuse."""
    given = request.headers.get("traceparent", "")
    return given[:_LENGTH] if _PARENT.match(given) else None
