"""Content of the archive as an answer: read in threads, and whole or visibly cut."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator
from typing import Any

import anyio
from anyio.to_thread import run_sync
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from orchestrator.archive import Archive
from orchestrator.archive.naming import damaged
from orchestrator.errors import OrchestratorError
from orchestrator.telemetry import Event, log
from orchestrator.web.conditions import Span

SLICE = 1 << 16  # what waits in a connection's buffer for a reader that is slow


class Reading:
    """One pass over content of a known size; the last piece is given once nothing is found amiss with it."""

    def __init__(self, archive: Archive, sha256: str, size: int, span: Span | None) -> None:
        """Begin it. Raises ContentDamaged or DestinationError, both also for the whole of a small content."""
        self._sha256 = sha256
        self._left = span.end - span.start if span else size
        # Without an end where all is asked for: then it is hashed.
        self._pieces: Generator[bytes, None, None] = (
            archive.read(sha256, span.start, span.end) if span else archive.read(sha256)
        )
        try:
            self.first = self.piece()
        except OrchestratorError:
            self.close()
            raise

    def piece(self) -> bytes:
        """The next piece; empty at the end."""
        piece = next(self._pieces, b"")
        self._left -= len(piece)
        if self._left < 0 or (self._left > 0 and not piece):
            raise damaged(self._sha256, "has another size than was told")
        if self._left == 0 and next(self._pieces, b""):
            raise damaged(self._sha256, "goes on beyond its end")
        return piece

    def close(self) -> None:
        """Close what it reads from."""
        self._pieces.close()


class Streamed(StreamingResponse):
    """A reading, sent as fast as its reader takes it; closed with the answer, however that ends."""

    def __init__(self, reading: Reading, threads: anyio.CapacityLimiter, job_id: str, **options: Any) -> None:
        self._reading = reading
        self._threads = threads
        self._job_id = job_id
        self._sent = self._slices()
        super().__init__(self._sent, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. What is found amiss goes up to the server, which cuts the connection."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._sent.aclose()
                await run_sync(self._reading.close, limiter=self._threads)

    async def _slices(self) -> AsyncGenerator[memoryview, None]:
        piece = self._reading.first
        while piece:
            for at in range(0, len(piece), SLICE):
                yield memoryview(piece)[at : at + SLICE]
            piece = await self._next_piece()

    async def _next_piece(self) -> bytes:
        try:
            return await run_sync(self._reading.piece, limiter=self._threads)
        except OrchestratorError as error:
            log(Event.OUTPUT_CUT, job=self._job_id, level=logging.ERROR, error=error.message, hint=error.hint)
            raise
