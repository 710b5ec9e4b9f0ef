"""`orchestrator up`: the workers of one process, and the receiver in front of them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn

from orchestrator.processes.embedded import Running, opened, working
from orchestrator.processes.listening import listen, url_of
from orchestrator.processes.public import public_app
from orchestrator.settings import Settings
from orchestrator.telemetry import Event, log
from orchestrator.web.server import make_server


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. `on_ready` gets the receiver's base URL once everything works."""
    # Both signals end as KeyboardInterrupt, also during the start, so that everything is drained.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with opened(settings) as context, listen(settings) as listening, working(context) as orchestrator:
        url = url_of(listening)
        log(Event.STARTED, url=url, worker=orchestrator.context.worker)
        threading.Thread(target=on_ready, args=(url,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has stopped
            _server(orchestrator).run(sockets=[listening])
    log(Event.STOPPED)


@contextmanager
def receiving(settings: Settings) -> Iterator[Running]:
    """As `running`, with the receiver in a thread beside whatever the caller does meanwhile."""
    with opened(settings) as context, listen(settings) as listening, working(context) as orchestrator:
        server = _server(orchestrator)
        thread = threading.Thread(target=server.run, args=([listening],), name="receiver", daemon=True)
        thread.start()
        try:
            yield orchestrator
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _server(orchestrator: Running) -> uvicorn.Server:
    context, send = orchestrator.context, orchestrator.send
    return make_server(public_app(context, send, beat_expected=False))
