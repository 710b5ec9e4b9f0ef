"""`orchestrator web`: the receiver alone. It keeps webhooks; the workers do what follows."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextlib import closing, suppress

from orchestrator import wiring
from orchestrator.celery_app import make_app
from orchestrator.processes import timers
from orchestrator.processes.listening import listen, url_of
from orchestrator.processes.scaled import broker_url, connected, database_is_current
from orchestrator.settings import Settings
from orchestrator.tasks.sending import Courier
from orchestrator.telemetry import Event, log
from orchestrator.web.receiver import make_receiver
from orchestrator.web.server import make_server


def receive(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. `on_ready` gets the base URL once webhooks are taken.

    It also starts while the database is away: the gateway is told to send again. Raises SettingError where
    a setting is missing, and StoreError where the database must be migrated first.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with connected(settings, asks_gateway=False) as context, listen(settings) as listening:
        database_is_current(context)
        send = Courier(make_app(broker_url(settings), publishes=True), wiring.monotonic)
        server = make_server(make_receiver(context, send, wiring.wall_clock, beat_expected=True))
        with closing(send), timers.running(timers.alarms(context, beat_expected=True)):
            log(Event.STARTED, url=url_of(listening))
            threading.Thread(target=on_ready, args=(url_of(listening),), daemon=True).start()
            with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has stopped
                server.run(sockets=[listening])
    log(Event.STOPPED)
