"""The request log, and what the live switches do to every request before a route sees it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.sandbox.refusals import bare_500
from orchestrator.sandbox.server import cut

if TYPE_CHECKING:
    from orchestrator.sandbox.gateway import Gateway


class RequestLog:
    """The latest requests, bounded."""

    def __init__(self, size: int) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=size)
        self._count = 0

    def open(self, scope: Scope) -> dict[str, Any]:
        """Note a request; status stays 0 until it is answered."""
        self._count += 1
        headers = dict(scope["headers"])
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
        }
        self._entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def entries(self, **wanted: str) -> list[dict[str, Any]]:
        """Entries whose fields equal the wanted ones, oldest first; `path` matches as a prefix."""
        return [entry for entry in self._entries if all(_matches(entry, *pair) for pair in wanted.items())]


def _matches(entry: dict[str, Any], name: str, value: str) -> bool:
    if name == "path":
        return bool(entry["path"].startswith(value))
    return str(entry.get(name)) == value


def _job_id(path: str) -> str | None:
    return next((part for part in path.split("/") if part.startswith("G-")), None)


class Front:
    """ASGI middleware: logs each gateway request and applies latency, drops and outages."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not scope["path"].startswith("/v1"):
            await self._app(scope, receive, send)
            return
        entry = scope["sandbox"] = self._gateway.log.open(scope)
        live = self._gateway.live
        if live.latency:
            await asyncio.sleep(live.latency)
        if _struck(live.drop, scope):
            await cut(scope, receive)
        elif _struck(live.down, scope):
            entry["status"] = 500
            await bare_500()(scope, receive, send)
        else:
            await self._app(scope, receive, _noting(entry, send))


def _struck(extent: str, scope: Scope) -> bool:
    return extent == "all" or (extent == "gets" and scope.get("method", "GET") == "GET")


def _noting(entry: dict[str, Any], send: Send) -> Send:
    async def noted(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            entry["status"] = message["status"]
        elif message["type"] == "websocket.accept":
            entry["status"] = 101
        await send(message)

    return noted
