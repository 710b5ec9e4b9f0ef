"""`orchestrator up`: the workers of one process, and the receiver and the API in front of them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import uvicorn

from orchestrator.processes import timers
from orchestrator.processes.embedded import Running, opened, working
from orchestrator.processes.exposing import exposing
from orchestrator.processes.listening import Listening, Urls, listen
from orchestrator.processes.public import keeps_nothing, public_server
from orchestrator.settings import Settings
from orchestrator.telemetry import Event, log
from orchestrator.web.hub import Hub


def serve(settings: Settings, on_ready: Callable[[Urls], None]) -> None:
    """Run until SIGTERM or SIGINT. `on_ready` gets the base URLs once everything works."""
    # Both signals end as KeyboardInterrupt, also during the start, so that everything is drained.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        exposing(settings, "up") as exposed,
        opened(settings) as context,
        listen(settings) as listening,
        working(context) as orchestrator,
    ):
        exposed.lacking = partial(keeps_nothing, context)
        urls, worker = listening.urls, orchestrator.context.worker
        log(Event.STARTED, url=urls.receiver, api_url=urls.api, worker=worker, **exposed.told)
        threading.Thread(target=on_ready, args=(urls,), daemon=True).start()
        recurrent = [timers.receiving(context)]
        if exposed.url:
            recurrent.append(timers.measuring(context, exposed.rows, beat_expected=False))
        # uvicorn raises the signal again once it has stopped
        with timers.running(*recurrent), suppress(KeyboardInterrupt):
            _server(orchestrator, listening).run(sockets=listening.sockets)
    log(Event.STOPPED)


@contextmanager
def receiving(settings: Settings) -> Iterator[Running]:
    """As `running`, with the receiver in a thread beside whatever the caller does meanwhile."""
    with opened(settings) as context, listen(settings) as listening, working(context) as orchestrator:
        server = _server(orchestrator, listening)
        thread = threading.Thread(target=server.run, args=(listening.sockets,), name="receiver", daemon=True)
        thread.start()
        try:
            with timers.running(timers.receiving(context)):
                yield orchestrator
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _server(orchestrator: Running, listening: Listening) -> uvicorn.Server:
    context, send = orchestrator.context, orchestrator.send
    hub = Hub(context.store)
    context.store.ring = hub.wake  # what another process commits is noticed by `glance`
    return public_server(context, send, listening, hub, beat_expected=False)
