"""Runs the sandbox under uvicorn."""

from __future__ import annotations

import logging
import signal
import socket
import sys

import uvicorn

from orchestrator.sandbox.app import create_app
from orchestrator.sandbox.config import SandboxConfig
from orchestrator.sandbox.cutting import CuttableProtocol


class _Announcing(uvicorn.Server):
    """Prints where it listens once it really does."""

    def __init__(self, config: uvicorn.Config, line: str) -> None:
        super().__init__(config)
        self._line = line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(self._line + "\n")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what is cut off from here on is meant
        await super().shutdown(sockets)


def _is_news(record: logging.LogRecord) -> bool:
    # uvicorn logs this as an error whenever a WebSocket is refused with a proper HTTP answer.
    return "without completing handshake" not in record.getMessage()


def serve(config: SandboxConfig) -> int:
    """Run a sandbox until SIGTERM or SIGINT; returns the exit code, having said on stderr what was wrong."""
    try:
        listener = socket.create_server((config.host, config.port), backlog=2048)
    except OSError as error:
        sys.stderr.write(
            f"The sandbox cannot listen on {config.host}:{config.port}: {error.strerror}. "
            "Stop what uses that port, or choose another with --port (0 picks a free one).\n"
        )
        return 1
    with listener:
        # Accepted connections inherit this; asyncio sets it only on sockets whose protocol number it knows.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _run(config, listener)


def _run(config: SandboxConfig, listener: socket.socket) -> int:
    address = f"http://{config.host}:{listener.getsockname()[1]}"
    try:
        app = create_app(config, address)
    except ValueError as error:  # a switch or a number that cannot be
        sys.stderr.write(f"{error}\n")
        return 2
    settings = uvicorn.Config(
        app,
        loop="asyncio",  # uvloop fires timers up to a millisecond early: nothing is to happen before its time
        http=CuttableProtocol,
        ws="websockets-sansio",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=60,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    try:
        _Announcing(settings, f"sandbox gateway listening on {address}/v1").run(sockets=[listener])
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0
