"""The HTTP server in front of the doors, safe from those who connect and say nothing, or take nothing."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

BACKLOG = 1024  # clients that come back all at once after a restart; the system may allow fewer
LONGEST_HEAD = 32_768  # bytes of a request line and its headers
_REFUSED = {400: "Bad Request", 431: "Request Header Fields Too Large"}


@dataclass(frozen=True, slots=True)
class Limits:
    """What the clients of one port may do; times in seconds."""

    connections: int = 512
    head_within: float = 10.0  # a connection must bring a request's head, anew after each answer
    read_within: float = 30.0  # of an answer that piles up, a client must have taken something


@dataclass(slots=True)
class Ports:
    """The limits of each port of a server, and how many are connected to it."""

    limits: Mapping[int, Limits]
    connected: Counter[int] = field(default_factory=Counter)


class Guarded(H11Protocol):
    """Hangs up on connections beyond a number, on those that bring no request and those that take no answer.

    The server itself starts no clock before the first answer, and waits for ever for a client to read.
    """

    def __init__(self, *arguments: Any, ports: Ports, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._ports = ports
        self._limits = Limits()
        # What is to be looked at later: the head that must come, the answer that must be taken.
        self._coming: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._port = transport.get_extra_info("sockname")[1]
        self._limits = self._ports.limits.get(self._port, self._limits)
        self._ports.connected[self._port] += 1
        if self._ports.connected[self._port] > self._limits.connections:
            transport.close()
        else:
            self._idle_since = self.loop.time()
            self._coming = self.loop.call_later(self._limits.head_within, self._hang_up_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """A client is gone, or was hung up on."""
        for later in (self._coming, self._reading):  # else they hold what is over for as long as they wait
            if later is not None:
                later.cancel()
        self._ports.connected[self._port] -= 1
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """An answer is out."""
        super().on_response_complete()
        self._idle_since = self.loop.time()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()

    def _expect_reading(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(self._limits.read_within, self._hang_up_if_unread, unread)

    def _hang_up_if_unread(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._expect_reading()
        else:
            self.transport.abort()

    def _hang_up_if_idle(self) -> None:
        if (
            self.transport.is_closing()
        ):  # what is unread would keep it for ever; does nothing once it is closed
            self._coming = self.loop.call_later(self._limits.read_within, self.transport.abort)
            return
        cycle: Any = self.cycle  # None until the head of a first request is there
        busy = cycle is not None and not cycle.response_complete
        within = self._limits.head_within
        left = within if busy else self._idle_since + within - self.loop.time()
        if left > 0:
            self._coming = self.loop.call_later(left, self._hang_up_if_idle)
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or has too long a head, and hang up."""
        status = getattr(sys.exc_info()[1], "error_status_hint", 400)
        reason = _REFUSED.get(status, _REFUSED[400])
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nX-Content-Type-Options: nosniff\r\n"
        self.transport.write(f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode())
        self.transport.close()


class Server(uvicorn.Server):
    """Says that it stops before it waits for answers that are under way: some would go on for ever."""

    def __init__(self, config: uvicorn.Config, before_stop: Callable[[], object]) -> None:
        super().__init__(config)
        self._before_stop = before_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests and let those end that are under way."""
        self._before_stop()
        await super().shutdown(sockets)


def make_server(
    app: ASGIApp,
    limits: Mapping[int, Limits] | None = None,
    *,
    before_stop: Callable[[], object] = lambda: None,
    **options: Any,
) -> Server:
    """A server for one application, with the limits of each of its ports; by default those of `Limits`."""
    config = uvicorn.Config(
        app,
        http=partial(Guarded, ports=Ports(limits or {})),  # type: ignore[arg-type]
        ws="none",  # an upgraded connection would be beyond all limits
        h11_max_incomplete_event_size=LONGEST_HEAD,
        proxy_headers=False,  # by default the server believes whoever connects from this machine
        backlog=BACKLOG,
        log_level="warning",
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=5,
        **options,
    )
    return Server(config, before_stop)
