"""The way to the sandbox, which can be cut."""

import asyncio
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from tests.acceptance.processes import free_port
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import LONG


class Line:
    """The way to the sandbox, which can be cut: connections are then refused, and open ones end."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._target = urlsplit(sandbox.url)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/v1"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.mend()

    def mend(self) -> None:
        asyncio.run_coroutine_threadsafe(self._mend(), self._loop).result(LONG)

    def cut(self) -> None:
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(LONG)

    def end(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LONG)
        self._loop.close()

    async def _mend(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            self._server = None

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._open |= {writer, there[1]}
        try:
            await asyncio.gather(self._copy(reader, there[1]), self._copy(there[0], writer))
        finally:
            self._open -= {writer, there[1]}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
