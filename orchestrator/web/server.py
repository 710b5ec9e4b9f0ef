"""The HTTP server in front of the doors, safe from those who connect and say nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 512  # far below the files a process may open: creates and looks need some too
REQUEST_WITHIN = 10.0  # seconds in which a connection must bring a request's head, anew after each answer
BACKLOG = 128


class Guarded(H11Protocol):
    """Hangs up on connections beyond a number, and on those that bring no request.

    The server itself starts no clock before the first answer.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.close()
        else:
            self._idle_since = self.loop.time()
            self.loop.call_later(REQUEST_WITHIN, self._hang_up_if_idle)

    def on_response_complete(self) -> None:
        """An answer is out."""
        super().on_response_complete()
        self._idle_since = self.loop.time()

    def _hang_up_if_idle(self) -> None:
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle  # None until the head of a first request is there
        busy = cycle is not None and not cycle.response_complete
        left = REQUEST_WITHIN if busy else self._idle_since + REQUEST_WITHIN - self.loop.time()
        if left > 0:
            self.loop.call_later(left, self._hang_up_if_idle)
        else:
            self.transport.close()


def make_server(app: Starlette, **options: Any) -> uvicorn.Server:
    """A server for one application."""
    config = uvicorn.Config(
        app,
        http=Guarded,
        backlog=BACKLOG,
        log_level="warning",
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=5,
        **options,
    )
    return uvicorn.Server(config)
