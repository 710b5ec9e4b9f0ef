"""The request log."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from starlette.types import Scope


class RequestLog:
    """The latest requests, bounded."""

    def __init__(self, size: int) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=size)
        self._count = 0

    def open(self, scope: Scope) -> dict[str, Any]:
        """Note a request; status stays 0 until it is answered."""
        self._count += 1
        headers = dict(scope["headers"])
        traceparent = headers.get(b"traceparent")
        session = headers.get(b"x-session-id") or headers.get(b"x-phaseo-session-id")
        entry = {
            "n": self._count,
            "at": time.time(),
            "method": scope.get("method", "WEBSOCKET"),
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1"),
            "status": 0,
            "session_id": session.decode("latin-1") if session else None,
            "job_id": _job_id(scope["path"]),
            "traceparent": traceparent.decode("latin-1") if traceparent else None,
        }
        self._entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def entries(self, **wanted: str) -> list[dict[str, Any]]:
        """Entries whose fields equal the wanted ones, oldest first; `path` by prefix, `after` by number."""
        return [entry for entry in self._entries if all(_matches(entry, *pair) for pair in wanted.items())]


def _matches(entry: dict[str, Any], name: str, value: str) -> bool:
    if name == "path":
        return bool(entry["path"].startswith(value))
    if name == "after":
        return bool(value.isdigit() and entry["n"] > int(value))
    return str(entry.get(name)) == value


def _job_id(path: str) -> str | None:
    return next((part for part in path.split("/") if part.startswith("G-")), None)
