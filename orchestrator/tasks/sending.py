"""Sends follow-ups, at most one message for each kind of work and slot of time (design 7).

Due times live in rows, so a message is only a wake-up: one per slot wakes for every job due in it,
and what lies beyond the horizon is armed by a later sweep. A slot lies in the future until it fires,
so a job that becomes due within it after the message was sent is claimed by that message all the same.
A courier also spreads the messages for what is due now.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from celery import Celery

from orchestrator import metrics
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.sweep import HORIZON
from orchestrator.telemetry import Event, log

SLOT = 0.25  # seconds
# A message that nobody took for so long evaporates: the sweep sends for what is still due.
EXPIRES_AFTER = 60.0
AWAY_FOR = 5.0  # seconds for which a broker that failed is left alone, so that not every thread waits for it
MOST_WAITING = 1_000  # commits whose follow-ups wait while the broker hangs; the sweep finds the others
CLOSE_WITHIN = 1.0  # seconds
# Whoever gets a message goes on while anything is due. So messages only have to come until enough are awake,
# and are spread: a web process would else spend a quarter of its time on what finds nothing to do.
APART = 0.02  # seconds between two messages of a kind for what is due now
MOST_OWED = 32  # messages of a kind that wait for their turn; the awake, and the sweep, do the rest


class Sender:
    """Turns follow-ups into messages, at once. One per process; `clock` is monotonic."""

    def __init__(self, app: Celery, clock: Callable[[], float]) -> None:
        self._app = app
        self._clock = clock
        self._armed: dict[tuple[Task, int], float] = {}
        self._lock = threading.Lock()
        self._away = False
        self._try_again_at = 0.0

    @property
    def broker_away(self) -> bool:
        """Whether the broker did not take the last message; one is tried every so many seconds."""
        return self._away

    def __call__(self, follow_ups: Iterable[FollowUp]) -> None:
        """Send, after the commit. Never raises: what could not be sent is found by the sweep."""
        for follow_up in follow_ups:
            wait, slot = self._wait(follow_up)
            if wait is not None and not self._send(follow_up.task, wait) and slot is not None:
                with self._lock:
                    self._armed.pop((follow_up.task, slot), None)

    def _wait(self, follow_up: FollowUp) -> tuple[float | None, int | None]:
        """The countdown to send with, None when the slot is armed or too far away to arm; and the slot."""
        if follow_up.delay <= 0:
            return 0.0, None
        if follow_up.delay > HORIZON:
            return None, None
        now = self._clock()
        slot = math.ceil((now + follow_up.delay) / SLOT)
        with self._lock:
            self._forget_before(now)
            if (follow_up.task, slot) in self._armed:
                return None, slot
            self._armed[follow_up.task, slot] = slot * SLOT
        return slot * SLOT - now, slot

    def _forget_before(self, now: float) -> None:
        # Insertion is not in order of time, but nothing is armed further ahead than the horizon.
        while self._armed:
            oldest = next(iter(self._armed))
            if self._armed[oldest] >= now - HORIZON:
                return
            del self._armed[oldest]

    def _send(self, task: Task, countdown: float) -> bool:
        if not self._may_try():
            return False
        try:
            self._app.send_task(task, countdown=countdown or None, expires=countdown + EXPIRES_AFTER)
        except Exception as error:  # noqa: BLE001 - its clients raise all sorts, and the sweep makes up for it
            self._away, self._try_again_at = True, self._clock() + AWAY_FOR
            log(Event.SEND_FAILED, level=logging.WARNING, task=task, error=str(error))
            metrics.MESSAGES.labels(task, "failed").inc()
            return False
        metrics.MESSAGES.labels(task, "sent").inc()
        self._away = False
        return True

    def _may_try(self) -> bool:
        """While the broker is away, one thread finds out for all whether it is back."""
        if not self._away:
            return True
        with self._lock:
            now = self._clock()
            if now < self._try_again_at:
                return False
            self._try_again_at = now + AWAY_FOR
            return True


class Courier(Sender):
    """Sends from a thread of its own: a broker that hangs holds up no answer to a webhook and no work.

    Without it, forty webhooks that come while the broker hangs take every thread that answers webhooks.
    The first message of a kind goes at once, and those that follow it at a pace.
    """

    def __init__(self, app: Celery, clock: Callable[[], float]) -> None:
        super().__init__(app, clock)
        self._waiting: queue.Queue[list[FollowUp] | None] = queue.Queue(MOST_WAITING)
        self._dropping = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="courier", daemon=True)
        self._thread.start()

    def __call__(self, follow_ups: Iterable[FollowUp]) -> None:
        """Have them sent; returns at once."""
        some = list(follow_ups)
        try:
            if some:
                self._waiting.put_nowait(some)
        except queue.Full:
            self._say_once()

    def _say_once(self) -> None:
        # Not for each: there are many until all that waits was sent.
        if not self._dropping:
            self._dropping = True
            error = f"{MOST_WAITING} commits wait for the broker: what follows from later ones is not sent"
            log(Event.SEND_FAILED, level=logging.WARNING, error=error)

    def close(self) -> None:
        """Send what waits, as far as the broker takes it within a moment."""
        self._closing.set()
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(timeout=CLOSE_WITHIN)

    def _carry(self) -> None:
        owed: Counter[Task] = Counter()
        going_on = True
        while going_on or owed:
            if going_on:
                going_on = self._gather(owed)
            super().__call__([FollowUp(task) for task in owed])
            owed -= Counter(list(owed))
            self._closing.wait(APART)

    def _gather(self, owed: Counter[Task]) -> bool:
        """Count what is due now, send what is due later; wait where nothing is owed. False: no more comes."""
        with suppress(queue.Empty):
            while (follow_ups := self._waiting.get(block=not owed)) is not None:
                for task, many in Counter(one.task for one in follow_ups if one.delay <= 0).items():
                    owed[task] = min(MOST_OWED, owed[task] + many)
                super().__call__(one for one in follow_ups if one.delay > 0)
            return False
        self._dropping = False
        return True
