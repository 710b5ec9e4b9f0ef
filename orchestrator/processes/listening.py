"""The socket that a receiver listens on."""

from __future__ import annotations

import socket

from orchestrator.errors import SettingError
from orchestrator.settings import Settings
from orchestrator.web.server import BACKLOG


def listen(settings: Settings) -> socket.socket:
    """Bind before anything else starts, so that a taken port stops nothing half-way."""
    try:
        listening = socket.create_server(
            (settings.host, settings.port), family=_family(settings.host), backlog=BACKLOG
        )
        # The event loop sets this only on sockets it made itself; without it an answer can take 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise SettingError(
            f"cannot listen on {settings.host}:{settings.port}: {_why(error)}",
            hint="stop what uses it, or set ORCHESTRATOR_PORT to a free port (0 takes one)",
        ) from error


def url_of(listening: socket.socket) -> str:
    """Where it can be reached."""
    address, port = listening.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _why(error: OSError) -> str:
    # Python adds the address to the reason a second time.
    return (error.strerror or str(error)).partition(" (while")[0]
