"""Runs the sandbox under uvicorn, and cuts connections when a fault asks for it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import uvicorn
from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from orchestrator.sandbox.config import SandboxConfig

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


class _Announcing(uvicorn.Server):
    """Prints where it listens once it really does."""

    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self._line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._line, flush=True)


def serve(config: SandboxConfig) -> int:
    """Run a sandbox until SIGTERM or SIGINT; returns the exit code."""
    from orchestrator.sandbox.app import create_app

    try:
        listener = socket.create_server((config.host, config.port), backlog=2048)
    except OSError as error:
        print(
            f"The sandbox cannot listen on {config.host}:{config.port}: {error.strerror}. "
            "Stop what uses that port, or choose another with --port (0 picks a free one).",
            file=sys.stderr,
        )
        return 1
    address = f"http://{config.host}:{listener.getsockname()[1]}"
    settings = uvicorn.Config(
        create_app(config, address),
        http=CuttableProtocol,
        ws="websockets-sansio",
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=60,
    )
    server = _Announcing(settings, f"sandbox gateway listening on {address}/v1")
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0
