"""What a request asks of something with a strong ETag: a part of it, or only what is new (RFC 9110)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.datastructures import Headers

# As many digits as no size has: longer ones only cost time.
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


class Unsatisfiable(ValueError):
    """The range begins beyond the end."""


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to, not including, `end`."""

    start: int
    end: int


def is_known(headers: Headers, etag: str) -> bool:
    """Whether the client says that it has this already."""
    tags = {tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")}
    return etag in tags or "*" in tags


def asked_span(headers: Headers, etag: str, size: int) -> Span | None:
    """The one range that is asked for, None for everything. Raises Unsatisfiable.

    Several ranges, other units and what is no range count as none: everything is a right answer to them.
    """
    found = _RANGE.fullmatch(headers.get("range", "").strip())
    if found is None or headers.get("if-range", etag).strip() != etag or size == 0:
        return None
    first, last = found.groups()
    if first:
        return _from(int(first), int(last) if last else None, size)
    return _last(int(last), size) if last else None


def _from(first: int, last: int | None, size: int) -> Span | None:
    if last is not None and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return Span(first, size if last is None else min(last + 1, size))


def _last(count: int, size: int) -> Span:
    if count == 0:
        raise Unsatisfiable
    return Span(max(0, size - count), size)
