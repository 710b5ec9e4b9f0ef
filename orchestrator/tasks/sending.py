"""Sends follow-ups, at most one message for each kind of work and slot of time (design 7).

Due times live in rows, so a message is only a wake-up: one per slot wakes for every job due in it,
and what lies beyond the horizon is armed by a later sweep. A slot lies in the future until it fires,
so a job that becomes due within it after the message was sent is claimed by that message all the same.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable

from celery import Celery
from kombu.exceptions import OperationalError

from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.sweep import HORIZON
from orchestrator.telemetry import Event, log

SLOT = 0.25  # seconds


class Sender:
    """Turns follow-ups into messages. One per process; `clock` is monotonic."""

    def __init__(self, app: Celery, clock: Callable[[], float]) -> None:
        self._app = app
        self._clock = clock
        self._armed: dict[tuple[Task, int], float] = {}
        self._lock = threading.Lock()

    def __call__(self, follow_ups: Iterable[FollowUp]) -> None:
        """Send, after the commit. Never raises: what could not be sent is found by the sweep."""
        for follow_up in follow_ups:
            wait, slot = self._wait(follow_up)
            if wait is not None and not self._send(follow_up.task, wait) and slot is not None:
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
        try:
            self._app.send_task(task, countdown=countdown or None)
        except (OperationalError, OSError) as error:
            log(Event.SEND_FAILED, level=logging.WARNING, task=task, error=str(error))
            return False
        return True
