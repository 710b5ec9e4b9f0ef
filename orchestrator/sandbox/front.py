"""What happens to every request before a route sees it: the log, and the live switches."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.sandbox.cutting import cut
from orchestrator.sandbox.gateway import Gateway
from orchestrator.sandbox.refusals import bare_500


class Front:
    """ASGI middleware: logs each gateway request and applies latency, holds, drops and outages."""

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
            await _drop(scope, receive, send)
        elif _struck(live.down, scope):
            entry["status"] = 500
            await bare_500()(scope, receive, send)
        else:
            answering = self._losing(scope, receive, _noting(entry, send))
            await self._app(scope, receive, self._holding(scope, answering))

    def _losing(self, scope: Scope, receive: Receive, send: Send) -> Send:
        """Nothing of what is sent arrives, and the route is through with its work."""
        if not scope["path"].startswith("/v1/webhook-endpoints") or scope.get("method") not in (
            "POST",
            "PATCH",
        ):
            return send
        lost = False

        async def losing(message: Message) -> None:
            nonlocal lost
            if message["type"] == "http.response.start" and self._gateway.loses_an_answer():
                lost = True
                await cut(scope, receive)
            if not lost:
                await send(message)

        return losing

    def _holding(self, scope: Scope, send: Send) -> Send:
        kind = _kind(scope)
        what = "http.response.body" if kind == "content" else "http.response.start"

        async def held(message: Message) -> None:
            while message["type"] == what and self._gateway.live.hold in ("all", kind):
                await self._gateway.faults_changed.wait()
            await send(message)

        return held if scope["path"].startswith("/v1/videos") else send


async def _drop(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})  # refuses the upgrade; its transport is out of reach here
    else:
        await cut(scope, receive)


def _struck(extent: str, scope: Scope) -> bool:
    return extent == "all" or (extent == "gets" and scope.get("method", "GET") == "GET")


def _kind(scope: Scope) -> str:
    """What a request asks for, as the switch `hold` names it."""
    if scope["path"].endswith("/content"):
        return "content"
    return {"POST": "creates", "GET": "looks"}.get(scope.get("method", ""), "others")


def _noting(entry: dict[str, Any], send: Send) -> Send:
    async def noted(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            entry["status"] = message["status"]
        elif message["type"] == "websocket.accept":
            entry["status"] = 101
        await send(message)

    return noted
