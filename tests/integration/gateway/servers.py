"""Servers that behave as badly as servers do: each connection is served by one small script."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr

from orchestrator.gateway.account import Account
from orchestrator.gateway.client import Gateway, connect
from orchestrator.gateway.connection import Timeouts
from tests.patience import LONG

KEY = "phaseo_v1_sk_abcdef_never_to_be_seen"
ENDPOINT = "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"
QUICK = Timeouts(connect=LONG, read=LONG, total_create=1, total_look=1, content_chunk=1, snapshot=1)
PATIENT = Timeouts(
    connect=LONG, read=LONG, total_create=LONG, total_look=LONG, content_chunk=LONG, snapshot=LONG
)


@dataclass
class Request:
    """What one request said."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """One connection, as a script sees it: read a request, write what a bad server writes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "Server"

    async def request(self) -> Request:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in rest)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        found = Request(line, headers, body)
        self.server.requests.append(found)
        return found

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, status: int, body: bytes, content_type: str = "application/json", *more: str
    ) -> None:
        lines = [
            f"HTTP/1.1 {status} X",
            f"content-type: {content_type}",
            f"content-length: {len(body)}",
            *more,
        ]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


Script = Callable[[Wire], Awaitable[None]]


@dataclass
class Server:
    """A listening server and what it was asked."""

    port: int = 0
    connections: int = 0
    requests: list[Request] = field(default_factory=list)


@asynccontextmanager
async def serving(
    script: Script, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve every connection with this script, until the end of the block."""
    found = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        found.connections += 1
        try:
            await script(Wire(reader, writer, found))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def gateway_at(port: int, timeouts: Timeouts = PATIENT) -> AsyncIterator[Gateway]:
    """A gateway whose account points at a local port."""
    account = Account("main", f"http://127.0.0.1:{port}/v1", SecretStr(KEY), ENDPOINT, ())
    async with connect(account, timeouts) as gateway:
        yield gateway


async def hang(wire: Wire) -> None:
    """Say nothing until the other side leaves."""
    await wire.reader.read()
