"""`orchestrator up`: the workers of one process, and the receiver in front of them."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn

from orchestrator import wiring
from orchestrator.embedded.process import Running, opened, working
from orchestrator.errors import SettingError
from orchestrator.settings import Settings
from orchestrator.telemetry import Event, log
from orchestrator.web.receiver import make_receiver
from orchestrator.web.server import BACKLOG, make_server


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. `on_ready` gets the receiver's base URL once everything works."""
    # Both signals end as KeyboardInterrupt, also during the start, so that everything is drained.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with opened(settings) as context, _listen(settings) as listening, working(context) as orchestrator:
        url = _url(listening)
        log(Event.STARTED, url=url, worker=orchestrator.context.worker)
        threading.Thread(target=on_ready, args=(url,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has stopped
            _server(orchestrator).run(sockets=[listening])
    log(Event.STOPPED)


@contextmanager
def receiving(settings: Settings) -> Iterator[Running]:
    """As `running`, with the receiver in a thread beside whatever the caller does meanwhile."""
    with opened(settings) as context, _listen(settings) as listening, working(context) as orchestrator:
        server = _server(orchestrator)
        thread = threading.Thread(target=server.run, args=([listening],), name="receiver", daemon=True)
        thread.start()
        try:
            yield orchestrator
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _server(orchestrator: Running) -> uvicorn.Server:
    return make_server(make_receiver(orchestrator.context, orchestrator.send, wiring.wall_clock))


def _url(listening: socket.socket) -> str:
    address, port = listening.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _listen(settings: Settings) -> socket.socket:
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


def _why(error: OSError) -> str:
    # Python adds the address to the reason a second time.
    return (error.strerror or str(error)).partition(" (while")[0]
