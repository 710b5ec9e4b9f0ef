"""Cutting connections: what a route can do when a fault asks for it and ASGI knows no way."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakValueDictionary

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_open: WeakValueDictionary[tuple[Any, Any], CuttableProtocol] = WeakValueDictionary()


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, findable by its two addresses so that a route can close the line."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _open[(self.client, self.server)] = self


async def cut(scope: Scope, receive: Receive) -> None:
    """Close the connection of a request, and wait until it is gone; what was sent before still arrives."""
    protocol = _open.get((scope["client"], scope["server"]))
    if protocol is None:
        raise ConnectionAbortedError("the sandbox can only cut connections when run by its own serve()")
    protocol.transport.close()
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass


class Cut(Response):
    """No answer at all: the connection closes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await cut(scope, receive)
