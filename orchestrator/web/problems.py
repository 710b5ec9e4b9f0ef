"""Errors as RFC 9457 problem details, with a `code` for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, *, hint: str = ""
) -> Response:
    """The answer; `hint` says what to do about it."""
    body = {"type": "about:blank", "status": status, "code": code, "detail": detail}
    if hint:
        body["hint"] = hint
    return Response(
        json.dumps(body), status_code=status, media_type="application/problem+json", headers=headers
    )
