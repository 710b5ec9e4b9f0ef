"""The sockets that are listened on: one for everything, or one for the gateway and one for callers."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from orchestrator.errors import SettingError
from orchestrator.settings import Settings
from orchestrator.web.doors import FOR_CALLERS, FOR_GATEWAY, Part
from orchestrator.web.server import BACKLOG, Limits

OTHER_FILES = 512  # that a process may have open besides: the database, the archive, calls of its own


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the receiver and the API can be reached; the same where they share a port."""

    receiver: str
    api: str


@dataclass(frozen=True, slots=True)
class Listening:
    """What was bound, and what each port is for."""

    urls: Urls
    sockets: list[socket.socket]
    limits: Mapping[int, Limits]
    parts: Mapping[int, frozenset[Part]]


@contextmanager
def listen(settings: Settings) -> Iterator[Listening]:
    """Bind before anything else starts, so that a taken port stops nothing half-way. Raises SettingError."""
    with ExitStack() as stack:
        receiver = stack.enter_context(_bind(settings.host, settings.port, "ORCHESTRATOR_PORT"))
        api = receiver
        if settings.api_address:
            api = stack.enter_context(_bind(*settings.api_address, "ORCHESTRATOR_API_PORT"))
        limits = _limits(settings, _port(receiver), _port(api))
        urls = Urls(_url_of(receiver), _url_of(api))
        parts = {} if api is receiver else {_port(receiver): FOR_GATEWAY, _port(api): FOR_CALLERS}
        yield Listening(urls, list(dict.fromkeys((receiver, api))), limits, parts)


def allow_files(wanted: int) -> int:
    """Let this process open so many files, or as many as the system lets it; how many it may open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if most <= soft:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def _limits(settings: Settings, receiver: int, api: int) -> Mapping[int, Limits]:
    wanted = {receiver: settings.receiver_connections, api: settings.api_connections}  # one port: the API's
    # Beyond what the process may open, the next connection would take a file that the database needs.
    possible = max(1, allow_files(sum(wanted.values()) + OTHER_FILES) - OTHER_FILES)
    return {port: Limits(connections=min(most, possible)) for port, most in wanted.items()}


def _bind(host: str, port: int, setting: str) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # The event loop sets this only on sockets it made itself; without it an answer can take 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise SettingError(
            f"cannot listen on {host}:{port}: {_why(error)}",
            hint=f"stop what uses it, or set {setting} to a free port (0 takes one)",
        ) from error


def _port(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def _url_of(listening: socket.socket) -> str:
    address, port = listening.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _why(error: OSError) -> str:
    # Python adds the address to the reason a second time.
    return (error.strerror or str(error)).partition(" (while")[0]
