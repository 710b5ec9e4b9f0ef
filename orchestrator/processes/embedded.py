"""Everything in one process: its parts, started in order and stopped in the other order."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator import wiring
from orchestrator.celery_app import EMBEDDED, make_app
from orchestrator.engine.context import Context
from orchestrator.engine.destinations import probes, require_fit
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.errors import OrchestratorError, SettingError
from orchestrator.processes import timers
from orchestrator.processes.hands import Hands
from orchestrator.processes.lock import exclusive, hold
from orchestrator.processes.membership import joined
from orchestrator.processes.pacer import pacer
from orchestrator.processes.workers import READY_WITHIN, EmbeddedWorkers, drain, threads
from orchestrator.settings import Settings
from orchestrator.store import workers
from orchestrator.store.database import sqlite_path
from orchestrator.store.migrate import migrate
from orchestrator.store.workers import Pulse
from orchestrator.tasks.sending import Sender
from orchestrator.tasks.work import register


@dataclass(frozen=True, slots=True)
class Running:
    """An orchestrator whose workers run messages."""

    context: Context
    send: Sender


@contextmanager
def running(settings: Settings) -> Iterator[Running]:
    """Everything but the receiver, ready when entered, drained when left. Raises as `opened` does."""
    with opened(settings) as context, working(context) as orchestrator:
        yield orchestrator


@contextmanager
def opened(settings: Settings) -> Iterator[Context]:
    """The database, held for this process alone and up to date, and everything checked that can be.

    Raises StoreError when another process holds the database or a newer program wrote it, and
    SettingError or DestinationError when a setting or a destination does not work.
    """
    with closing(wiring.open_store(settings)) as store:
        database = sqlite_path(store.url)
        if database is None:
            raise SettingError(
                "`up` keeps everything in one process and needs a SQLite file",
                hint="leave ORCHESTRATOR_DATABASE_URL empty, or give it a sqlite:/// URL",
            )
        with exclusive(database), ExitStack() as stack:
            migrate(store)
            context = wiring.build(settings, store)
            stack.callback(context.close)
            require_fit(context)
            for check in probes(context).values():
                check()
            yield context


@contextmanager
def working(context: Context) -> Iterator[Running]:
    """Workers and timers, ready when entered, drained when left."""
    with ExitStack() as stack:
        host, pid = wiring.whoami()
        with context.store.write() as tx:
            workers.leave_all(tx)  # the lock is ours: whoever had leases is dead
        stack.enter_context(joined(context))
        send = Sender(make_app(EMBEDDED), wiring.monotonic)
        # Beats until the last call is over: a worker that falls silent while it drains loses its leases.
        beating = timers.heartbeat(context.store, context.worker, host, pid)
        stack.enter_context(timers.running(beating, timers.leftovers(context)))
        stack.enter_context(timers.counting_drift(context))
        stopping = threading.Event()
        embedded = EmbeddedWorkers(
            lambda: register(make_app(EMBEDDED), context, send, stopping),
            threads(context.settings),
            context.worker,
            drain=context.settings.drain_seconds,
        )
        own: dict[str, int] = {Task.HAND_OFF: context.settings.hand_off_threads}
        context.hands = hands = Hands(context, send, own, stopping)
        stack.callback(drain, embedded, hands, context.settings.drain_seconds)
        stack.callback(stopping.set)
        pacing = pacer(context)
        embedded.start()
        embedded.wait()
        watching = stack.enter_context(closing(_watching(context)))
        recurrent = (
            pacing,
            timers.sweeper(send),
            timers.glance(context, send, watching),
            timers.sharing(context),
            timers.alarms(context, beat_expected=False),
            timers.watchdog(embedded, hold(_database(context))),
        )
        stack.enter_context(timers.running(*recurrent))
        _see_a_message_run(context, send)
        yield Running(context, send)


def _watching(context: Context) -> sqlite3.Connection:
    return sqlite3.connect(_database(context), check_same_thread=False)


def _database(context: Context) -> Path:
    database = sqlite_path(context.store.url)
    assert database is not None  # `opened` made sure
    return database


def _see_a_message_run(context: Context, send: Sender) -> None:
    """Rebuild the messages from the rows by a first sweep: ready means that messages run."""
    with context.store.read() as tx:
        before = workers.last_pulse(tx, Pulse.SWEEP)
    send([FollowUp(Task.SWEEP)])
    end = wiring.monotonic() + READY_WITHIN
    while wiring.monotonic() < end:
        with context.store.read() as tx:
            if workers.last_pulse(tx, Pulse.SWEEP) != before:
                return
        threading.Event().wait(0.01)
    raise OrchestratorError(f"the workers took no message within {READY_WITHIN:.0f} s of their start")
