"""Names of requests that cross borders: ids of requests, and the parents of W3C traces."""

from __future__ import annotations

import re

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:~-]{1,100}", re.ASCII)
# https://www.w3.org/TR/trace-context/#traceparent-header
_PARENT = re.compile(r"(?!ff)([0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?")
_FIRST_VERSION = "00-"


def sane_request_id(given: str) -> str | None:
    """An id that somebody else gave a request, if it can go into headers and logs."""
    return given if _REQUEST_ID.fullmatch(given) else None


def sane_traceparent(given: str) -> str | None:
    """The parent of a trace, without what later versions of the standard add; None where it is none."""
    found = _PARENT.fullmatch(given)
    if found is None or (found[2] is not None and given.startswith(_FIRST_VERSION)):
        return None
    return found[1]
