"""`orchestrator web`: the receiver and the API. They keep what comes; the workers do what follows."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial

import uvicorn

from orchestrator import wiring
from orchestrator.celery_app import make_app
from orchestrator.engine.context import Context
from orchestrator.engine.destinations import require_fit
from orchestrator.engine.follow_up import Task
from orchestrator.errors import StoreError
from orchestrator.processes import timers
from orchestrator.processes.broker import broker_url
from orchestrator.processes.exposing import Exposed, exposing
from orchestrator.processes.hands import Hands
from orchestrator.processes.listening import Urls, listen
from orchestrator.processes.membership import beating, leaving_in_the_end
from orchestrator.processes.public import keeps_nothing, public_server
from orchestrator.processes.ringing import hearing
from orchestrator.processes.scaled import connected, database_is_current, wait_for_database
from orchestrator.settings import Settings
from orchestrator.tasks.sending import Courier, Sender
from orchestrator.telemetry import Event, log
from orchestrator.web.hub import Hub


def receive(settings: Settings, on_ready: Callable[[Urls], None]) -> None:
    """Run until SIGTERM or SIGINT. `on_ready` gets the base URLs once webhooks are taken.

    It also starts while the database is away: the gateway is told to send again. Raises SettingError where
    a setting is missing, and StoreError where the database must be migrated first, then or once it is there.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        exposing(settings, "web") as exposed,
        connected(settings, asks_gateway=False) as context,
        listen(settings) as listening,
    ):
        exposed.lacking = partial(keeps_nothing, context)
        current = database_is_current(context)
        if current:
            require_fit(context)
        send = Courier(make_app(broker_url(settings), publishes=True), wiring.monotonic)
        hub = Hub(context.store)
        server = public_server(context, send, listening, hub, beat_expected=True)
        with ExitStack() as stack:
            stack.enter_context(closing(send))
            stack.enter_context(hearing(context.store, hub.wake))
            recurrent = timers.alarms(context, beat_expected=True), timers.receiving(context)
            stack.enter_context(timers.running(*recurrent, *_told_of_rows(context, exposed)))
            stack.enter_context(timers.counting_drift(context))
            if settings.web_hand_off_threads:
                stack.enter_context(_handing_off(context, send))
            if not current:
                stack.enter_context(_going_on_to_look(context, server))
            urls = listening.urls
            log(Event.STARTED, url=urls.receiver, api_url=urls.api, **exposed.told)
            threading.Thread(target=on_ready, args=(listening.urls,), daemon=True).start()
            with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has stopped
                server.run(sockets=listening.sockets)
    log(Event.STOPPED)


@contextmanager
def _handing_off(context: Context, send: Sender) -> Iterator[None]:
    """Hand off what webhooks make owed here; for its leases, this process is known as a worker meanwhile."""
    stopping = threading.Event()
    threads: dict[str, int] = {Task.HAND_OFF: context.settings.web_hand_off_threads}
    hands = Hands(context, send, threads, stopping)
    # It joins with its first beat: the database may be away.
    with leaving_in_the_end(context), beating(context, takes_messages=False):
        context.hands = hands
        try:
            yield
        finally:
            stopping.set()
            hands.wait(context.settings.drain_seconds)


def _told_of_rows(context: Context, exposed: Exposed) -> list[timers.Timer]:
    """The numbers that are read from rows, for whoever asks for them."""
    return [timers.measuring(context, exposed.rows, beat_expected=True)] if exposed.url else []


@contextmanager
def _going_on_to_look(context: Context, server: uvicorn.Server) -> Iterator[None]:
    """Look at the database's revision until it answers; raise in the end what a start would have raised."""
    over = threading.Event()
    refused: list[StoreError] = []

    def look() -> None:
        try:
            wait_for_database(context, over)
        except StoreError as error:
            refused.append(error)
            server.should_exit = True

    threading.Thread(target=look, name="revision", daemon=True).start()
    try:
        yield
    finally:
        over.set()
    if refused:
        raise refused[0]
