"""`orchestrator worker`: takes messages from the broker, as many processes as are wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from orchestrator import wiring
from orchestrator.celery_app import make_app
from orchestrator.engine.context import Context
from orchestrator.engine.destinations import probes, require_fit
from orchestrator.engine.follow_up import Task
from orchestrator.errors import DestinationError, StoreError
from orchestrator.processes import timers
from orchestrator.processes.broker import broker_url
from orchestrator.processes.exposing import Exposed, exposing
from orchestrator.processes.membership import beating, joined
from orchestrator.processes.pacer import pacer
from orchestrator.processes.scaled import connected, wait_for_database
from orchestrator.processes.standby import LocalHands, standby
from orchestrator.processes.stopping import stop_signal, wait_until_told
from orchestrator.processes.workers import EmbeddedWorkers, drain, threads
from orchestrator.processes.yielding import be_nice
from orchestrator.settings import Settings
from orchestrator.store import workers
from orchestrator.tasks.sending import Courier
from orchestrator.tasks.work import register
from orchestrator.telemetry import Event, log

TRY_WITHIN = 5.0  # seconds


def work(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then finish what is under way.

    Raises SettingError where a setting is missing, and StoreError where the database must be migrated first.
    """
    stopping = stop_signal()
    be_nice(settings.worker_niceness)
    with exposing(settings, "worker") as exposed, connected(settings, asks_gateway=True) as context:
        exposed.lacking = partial(_lacking, context)
        if wait_for_database(context, stopping):
            require_fit(context)
            if _wanted(context, Task.HAND_OFF):
                _try_destinations(context)
            _work(context, broker_url(settings), stopping, exposed)
    log(Event.STOPPED)


def _lacking(context: Context) -> list[str]:
    """Why this worker could do nothing now."""
    try:
        with context.store.read() as tx:
            beats = workers.beats(tx, context.worker)
    except StoreError as error:
        return [error.message]
    return [] if beats else ["its heartbeats do not reach the database, or it has not begun"]


def _try_destinations(context: Context) -> None:
    """Say in the log which cannot be used now: its hand-offs wait, and all other work flows."""
    trying = {
        name: threading.Thread(target=_try, args=(name, check), daemon=True)
        for name, check in probes(context).items()
    }
    for thread in trying.values():
        thread.start()
    for name, thread in trying.items():
        thread.join(TRY_WITHIN)
        if thread.is_alive():
            hint = "see whether the network file system it is on is there"
            _away(name, DestinationError(f"it does not answer within {TRY_WITHIN:.0f} s", hint=hint))


def _try(name: str, check: Callable[[], None]) -> None:
    try:
        check()
    except DestinationError as error:
        _away(name, error)


def _away(name: str, error: DestinationError) -> None:
    facts = {"destination": name, "error": error.message, "hint": error.hint}
    log(Event.DESTINATION_AWAY, level=logging.ERROR, **facts)


def _work(context: Context, broker: str, stopping: threading.Event, exposed: Exposed) -> None:
    with ExitStack() as stack:
        stack.enter_context(joined(context))
        send = Courier(make_app(broker, publishes=True), wiring.monotonic)
        stack.callback(send.close)
        ours = {queue: count for queue, count in threads(context.settings).items() if _wanted(context, queue)}
        # Beats until the last call is over: a worker that falls silent while it drains loses its leases.
        stack.enter_context(beating(context))
        stack.enter_context(timers.counting_drift(context))
        consuming = EmbeddedWorkers(
            lambda: register(make_app(broker), context, send, stopping),
            ours,
            context.worker,
            drain=context.settings.drain_seconds,
        )
        hands = LocalHands(context, send, ours, stopping)
        stack.callback(drain, consuming, hands, context.settings.drain_seconds)
        context.hands = hands
        pacing = pacer(context)
        consuming.start()
        recurrent = (
            pacing,
            standby(context, send, hands),
            timers.sharing(context),
            timers.alarms(context, beat_expected=True),
            timers.watchdog(consuming),
        )
        stack.enter_context(timers.running(*recurrent))
        log(Event.STARTED, worker=context.worker, queues=sorted(ours), **exposed.told)
        wait_until_told(stopping)


def _wanted(context: Context, queue: str) -> bool:
    return queue in context.settings.queues
