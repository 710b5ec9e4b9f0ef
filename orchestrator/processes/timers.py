"""What happens again and again: heartbeats, sweeps, and a glance for commits of other processes."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator import wiring
from orchestrator.engine import alarms as alarm_rules
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.sweep import due
from orchestrator.processes.lock import Hold
from orchestrator.processes.workers import EmbeddedWorkers
from orchestrator.store import workers
from orchestrator.tasks.sending import Sender
from orchestrator.telemetry import Event, log

BEAT_EVERY = 2.0  # a worker counts as dead after three missed beats
SWEEP_EVERY = 1.0
GLANCE_EVERY = 0.04
ALARMS_EVERY = 5.0


class Timer:
    """Calls something every so many seconds in a thread of its own, until it is stopped."""

    def __init__(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        self._seconds = seconds
        self._act = act
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call is after the first pause."""
        self._thread.start()

    def stop(self) -> None:
        """Return once no further call will be made."""
        self._over.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._over.wait(self._seconds):
            try:
                self._act()
            except Exception as error:  # noqa: BLE001 - without its heartbeat a worker loses its leases
                log(Event.TIMER_FAILED, level=logging.ERROR, timer=self._thread.name, error=str(error))


@contextmanager
def running(timer: Timer) -> Iterator[None]:
    """Started when entered, stopped when left."""
    timer.start()
    try:
        yield
    finally:
        timer.stop()


def heartbeat(context: Context, host: str, pid: int) -> Timer:
    """Says that this worker lives; a worker that was given up for dead joins again."""

    def beat() -> None:
        with context.store.write(durable=False) as tx:
            if not workers.beat(tx, context.worker):
                workers.join(tx, context.worker, host=host, pid=pid)
        context.held.give_back(context)

    return Timer("heartbeat", BEAT_EVERY, beat)


def sweeper(send: Sender) -> Timer:
    """Asks for a sweep."""
    return Timer("sweeper", SWEEP_EVERY, lambda: send([FollowUp(Task.SWEEP)]))


def alarms(context: Context, *, beat_expected: bool) -> Timer:
    """Says in the log when something begins to be wrong with the whole, and when that is over."""
    bell = alarm_rules.Bell()

    def listen() -> None:
        with context.store.read() as tx:
            found = alarm_rules.read(tx, wall_clock=wiring.wall_clock(), beat_expected=beat_expected)
        bell.ring(found)

    return Timer("alarms", ALARMS_EVERY, listen)


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
            with context.store.read() as tx:
                send({follow_up.task: follow_up for follow_up in due(context, tx)}.values())

    return Timer("glance", GLANCE_EVERY, look_up)
