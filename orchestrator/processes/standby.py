"""What a worker does when beat or the broker is away: rows are the truth, and it has them."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping

from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.learning import learn
from orchestrator.engine.recalling import recall
from orchestrator.engine.sweep import sweep
from orchestrator.processes.timers import Timer
from orchestrator.store import workers
from orchestrator.store.workers import Pulse
from orchestrator.tasks.sending import Sender
from orchestrator.tasks.work import perform
from orchestrator.telemetry import Event, log

LOOK_EVERY = 1.0
BEAT_MISSED = 3.0  # seconds without a message of beat's at any worker; there is one every second


class LocalHands:
    """Threads that do due work without any message, no more of a kind than the worker's own threads."""

    def __init__(
        self, context: Context, send: Sender, threads: Mapping[str, int], stopping: threading.Event
    ) -> None:
        self._context = context
        self._send = send
        self._stopping = stopping
        self._threads = threads
        self._busy: Counter[str] = Counter()
        self._lock = threading.Condition()

    def take(self, follow_ups: Iterable[FollowUp]) -> None:
        """Begin with what is due now, one thread for each, as far as threads are free."""
        for follow_up in follow_ups:
            if follow_up.delay <= 0 and self._take_one(follow_up.task):
                threading.Thread(target=self._do, args=(follow_up.task,), daemon=True).start()

    def _take_one(self, task: Task) -> bool:
        with self._lock:
            free = self._busy[task] < self._threads.get(task, 0)
            self._busy[task] += free
            return free

    def _do(self, task: Task) -> None:
        try:
            perform(task, self._context, self._send, self._stopping)
        except Exception as error:  # noqa: BLE001 - as in Celery, one task that breaks ends no other
            log(Event.TASK_BROKE, level=logging.ERROR, task=task, error=repr(error))
        finally:
            with self._lock:
                self._busy[task] -= 1
                self._lock.notify_all()

    def wait(self, seconds: float) -> None:
        """Let what is under way finish, for at most so long."""
        with self._lock:
            self._lock.wait_for(lambda: not any(self._busy.values()), timeout=seconds)


def standby(context: Context, send: Sender, hands: LocalHands) -> Timer:
    """Sweeps while beat is not heard or the broker is away, and does what is found by itself.

    Every worker does: were it enough that another one swept, that one would be left with all the work.
    """

    def stand_in() -> None:
        if not send.broker_away and not _beat_is_missing(context):
            return
        found = sweep(context)
        learn(context)
        found += recall(context)
        send([*found, FollowUp(Task.SWEEP)])  # also where nothing is due: a broker that is back is noticed
        # Also when they could be sent: a broker that takes messages and delivers none looks just like that.
        hands.take(found)

    return Timer("standby", LOOK_EVERY, stand_in)


def _beat_is_missing(context: Context) -> bool:
    with context.store.read() as tx:
        heard_at = workers.last_pulse(tx, Pulse.BEAT)
        return heard_at is None or tx.now > heard_at + BEAT_MISSED
