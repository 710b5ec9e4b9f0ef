"""What happens again and again: heartbeats, sweeps, and a glance for commits of other processes."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from orchestrator import wiring
from orchestrator.engine import alarms as alarm_rules
from orchestrator.engine import drifting, gateway_away
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.gauges import Gauges
from orchestrator.engine.outage import sign_of_life
from orchestrator.engine.sweep import due
from orchestrator.metrics import Rows
from orchestrator.processes.lock import Hold
from orchestrator.processes.workers import EmbeddedWorkers
from orchestrator.store import workers
from orchestrator.store.database import Store
from orchestrator.tasks.sending import Sender
from orchestrator.telemetry import Event, log

BEAT_EVERY = 2.0  # a worker counts as dead after three missed beats
SWEEP_EVERY = 1.0
GLANCE_EVERY = 0.04
SHARE_EVERY = 1.0
ALARMS_EVERY = 5.0
RECEIVING_EVERY = 3.0
MEASURE_EVERY = 15.0
STOP_WITHIN = 2.0  # seconds; what still hangs then hangs with the database
SAID_AGAIN_AFTER = (
    60.0  # seconds: a timer that goes on failing has a line of the log each minute, not each time
)


class Timer:
    """Calls something every so many seconds in a thread of its own, until it is stopped."""

    def __init__(self, name: str, seconds: float, act: Callable[[], None], *, at_once: bool = False) -> None:
        self._seconds = seconds
        self._first = 0.0 if at_once else seconds
        self._act = act
        self._over = threading.Event()
        self._failures = 0  # in a row
        self._said_at = 0.0  # when the log had the latest of them
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call is after the first pause, unless it is to be made at once."""
        self._thread.start()

    def tell(self) -> None:
        """Make no further call."""
        self._over.set()

    def wait(self, seconds: float) -> None:
        """Let a call that is under way finish, for at most so long."""
        self._thread.join(timeout=seconds)

    def _run(self) -> None:
        pause = self._first
        while not self._over.wait(pause):
            pause = self._seconds
            try:
                self._act()
            except Exception as error:  # noqa: BLE001 - without its heartbeat a worker loses its leases
                self._failed(error)
            else:
                self._failures = 0

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1 or monotonic() >= self._said_at + SAID_AGAIN_AFTER:
            self._said_at = monotonic()
            facts: dict[str, Any] = {"timer": self._thread.name, "error": str(error), "times": self._failures}
            log(Event.TIMER_FAILED, level=logging.ERROR, **facts)


@contextmanager
def running(*timers: Timer) -> Iterator[None]:
    """Started when entered, stopped together when left: one that hangs does so as long as all of them."""
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.tell()
        deadline = monotonic() + STOP_WITHIN
        for timer in timers:
            timer.wait(max(0.0, deadline - monotonic()))


def heartbeat(store: Store, worker: str, host: str, pid: int, *, takes_messages: bool = True) -> Timer:
    """Says that this worker lives; a worker that was given up for dead joins again.

    Nothing else may be done here: what waits for a row of somebody else's would cost the worker its life.
    """

    def beat() -> None:
        with store.write(durable=False) as tx:
            if not workers.beat(tx, worker):
                workers.join(tx, worker, host=host, pid=pid, takes_messages=takes_messages)

    return Timer("heartbeat", BEAT_EVERY, beat)


def leftovers(context: Context) -> Timer:
    """Gives back leases under which nobody works, after the database failed somebody."""
    return Timer("leftovers", BEAT_EVERY, lambda: context.held.give_back(context))


def sweeper(send: Sender) -> Timer:
    """Asks for a sweep."""
    return Timer("sweeper", SWEEP_EVERY, lambda: send([FollowUp(Task.SWEEP)]))


def sharing(context: Context) -> Timer:
    """Tells other processes of gateways that are left alone or answer again, and hears of it."""
    return Timer("sharing", SHARE_EVERY, lambda: gateway_away.share(context))


def alarms(context: Context, *, beat_expected: bool) -> Timer:
    """Says in the log when something begins to be wrong with the whole, and when that is over."""
    bell = alarm_rules.Bell()

    def listen() -> None:
        with context.store.read() as tx:
            found = alarm_rules.read(tx, wall_clock=wiring.wall_clock(), beat_expected=beat_expected)
        bell.ring(found)

    return Timer("alarms", ALARMS_EVERY, listen)


def measuring(context: Context, rows: Rows, *, beat_expected: bool) -> Timer:
    """Reads for whoever watches what is the same from every process."""
    gauges = Gauges(context, beat_expected)

    def measure() -> None:
        rows.take(gauges.read(wiring.wall_clock()))

    return Timer("measuring", MEASURE_EVERY, measure, at_once=True)


def receiving(context: Context) -> Timer:
    """Says that webhooks are taken here, so that it is known for how long nobody took any."""

    def note() -> None:
        with context.store.write(durable=False) as tx:
            sign_of_life(tx)

    return Timer("receiving", RECEIVING_EVERY, note)


@contextmanager
def counting_drift(context: Context) -> Iterator[None]:
    """Keeps what the gateway said that its contract does not foresee, to the end."""
    try:
        with running(Timer("drift", drifting.EVERY, lambda: context.drifts.keep(context.store))):
            yield
    finally:
        context.drifts.keep_the_last(context.store)


def watchdog(consuming: EmbeddedWorkers, held: Hold | None = None) -> Timer:
    """Ends the process when it cannot do its work any more.

    Without one of its workers nothing of that kind would ever run again; with its database or lock
    replaced, it would work on a file that nobody else sees, or beside another process.
    """

    def look_after() -> None:
        dead = consuming.dead()
        if dead:
            log(Event.WORKER_DIED, level=logging.CRITICAL, workers=dead)
            wiring.abort()
        if held is not None and not held.intact():
            log(Event.DATABASE_GONE, level=logging.CRITICAL, files=[str(path) for path in held.files])
            wiring.abort()

    return Timer("watchdog", BEAT_EVERY, look_after)


def glance(context: Context, send: Sender, connection: sqlite3.Connection) -> Timer:
    """Notices jobs that another process committed, within a tenth of a second.

    SQLite's data_version changes with every commit that `connection` did not make, ours included; those
    have sent their messages already. One message of a kind wakes a worker, which goes on while work is due.
    """
    known = [0]

    def look_up() -> None:
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != known[0]:
            known[0] = version
            context.store.ring()  # for whoever follows events here
            with context.store.read() as tx:
                send({follow_up.task: follow_up for follow_up in due(context, tx)}.values())

    return Timer("glance", GLANCE_EVERY, look_up)
