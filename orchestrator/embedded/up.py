"""`orchestrator up`: starts everything in order, and stops it in the other order."""

from __future__ import annotations

import logging
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import uvicorn

from orchestrator import wiring
from orchestrator.celery_app import EMBEDDED, make_app
from orchestrator.embedded import timers
from orchestrator.embedded.lock import exclusive
from orchestrator.embedded.workers import EmbeddedWorkers
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.errors import SettingError
from orchestrator.settings import Settings
from orchestrator.store import workers
from orchestrator.store.database import Store, sqlite_path
from orchestrator.store.migrate import migrate
from orchestrator.tasks.sending import Sender
from orchestrator.tasks.work import register
from orchestrator.telemetry import Event, log
from orchestrator.web.receiver import make_receiver


@dataclass(frozen=True, slots=True)
class Running:
    """An orchestrator whose workers run messages."""

    context: Context
    send: Sender


@contextmanager
def running(settings: Settings) -> Iterator[Running]:
    """The workers and timers of one process, ready when entered, drained when left.

    Raises StoreError when another process holds the database or a newer program wrote it, and
    SettingError or DestinationError when a setting or a destination does not work.
    """
    with ExitStack() as stack:
        store = wiring.open_store(settings)
        stack.callback(store.close)
        database = sqlite_path(store.url)
        if database is None:
            raise SettingError(
                "`up` keeps everything in one process and needs a SQLite file",
                hint="leave ORCHESTRATOR_DATABASE_URL empty, or give it a sqlite:/// URL",
            )
        stack.enter_context(exclusive(database))
        migrate(store)
        context = wiring.build(settings, store)
        stack.callback(_close, context)
        for sink in context.sinks.values():
            sink.check()
        send = _start(stack, context, store)
        watching = sqlite3.connect(database, check_same_thread=False)
        stack.callback(watching.close)
        glance = timers.glance(context, send, watching)
        glance.start()
        stack.callback(glance.stop)
        yield Running(context, send)


def _start(stack: ExitStack, context: Context, store: Store) -> Sender:
    host, pid = wiring.whoami()
    with store.write() as tx:
        workers.leave_all(tx)  # the lock is ours: whoever had leases is dead
        workers.join(tx, context.worker, host=host, pid=pid)
    stack.callback(_leave, context)
    send = Sender(make_app(EMBEDDED), wiring.monotonic)
    embedded = EmbeddedWorkers(
        lambda: register(make_app(EMBEDDED), context, send), _threads(context.settings), context.worker
    )
    stack.callback(embedded.stop)
    embedded.start()
    beats = timers.heartbeat(context, host, pid)
    sweeps = timers.sweeper(send)
    for timer in (beats, sweeps):
        timer.start()
        stack.callback(timer.stop)
    _see_a_message_run(context, send)
    return send


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT. `on_ready` gets the receiver's base URL once everything works."""
    # Both signals end as KeyboardInterrupt, also during the start, so that everything is drained.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _listen(settings) as listening, running(settings) as orchestrator:
        url = _url(listening)
        log(Event.STARTED, url=url, worker=orchestrator.context.worker)
        threading.Thread(target=on_ready, args=(url,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once it has stopped
            _server(orchestrator).run(sockets=[listening])
    log(Event.STOPPED)


@contextmanager
def receiving(settings: Settings) -> Iterator[Running]:
    """As `running`, with the receiver in a thread beside whatever the caller does meanwhile."""
    with _listen(settings) as listening, running(settings) as orchestrator:
        server = _server(orchestrator)
        thread = threading.Thread(target=server.run, args=([listening],), name="receiver", daemon=True)
        thread.start()
        try:
            yield orchestrator
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _server(orchestrator: Running) -> uvicorn.Server:
    receiver = make_receiver(orchestrator.context, orchestrator.send, wiring.wall_clock)
    config = uvicorn.Config(
        receiver,
        log_level="warning",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _url(listening: socket.socket) -> str:
    address, port = listening.getsockname()[:2]
    return f"http://{address}:{port}"


def _listen(settings: Settings) -> socket.socket:
    """Bind before anything else starts, so that a taken port stops nothing half-way."""
    try:
        listening = socket.create_server((settings.host, settings.port), backlog=2048)
        # The event loop sets this only on sockets it made itself; without it an answer can take 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        _require_alone(settings)
        raise SettingError(
            f"cannot listen on {settings.host}:{settings.port}: {_why(error)}",
            hint="stop what uses it, or set ORCHESTRATOR_PORT to a free port (0 takes one)",
        ) from error


def _require_alone(settings: Settings) -> None:
    """Raise StoreError if another orchestrator runs here: that is why the port is taken."""
    database = sqlite_path(settings.resolved_database_url)
    if database is not None and database.exists():
        with exclusive(database):
            pass


def _why(error: OSError) -> str:
    # Python adds the address to the reason a second time.
    return (error.strerror or str(error)).partition(" (while")[0]


def _threads(settings: Settings) -> dict[str, int]:
    return {
        Task.CREATE: settings.create_threads,
        Task.LOOK: settings.look_threads,
        Task.HAND_OFF: settings.hand_off_threads,
        Task.SWEEP: 1,
    }


def _see_a_message_run(context: Context, send: Sender) -> None:
    """Rebuild the messages from the rows, by the first message: ready means that messages run."""
    with context.store.read() as tx:
        before = workers.last_pulse(tx, "sweep")
    send([FollowUp(Task.SWEEP)])
    for _ in range(1000):
        with context.store.read() as tx:
            if workers.last_pulse(tx, "sweep") != before:
                return
        threading.Event().wait(0.01)
    log(Event.SEND_FAILED, level=logging.ERROR, error="no message ran within 10 s of the start")


def _leave(context: Context) -> None:
    with context.store.write() as tx:
        workers.leave(tx, context.worker)


def _close(context: Context) -> None:
    for gateway in context.gateways.values():
        context.http.run(gateway.aclose())
    context.http.stop()
