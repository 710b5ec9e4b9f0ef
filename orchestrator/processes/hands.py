"""Work without messages: by threads of a process that do what they are given."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping

from orchestrator.core.job import HandOff, Job, Output
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.hand_off import hand_off_claimed
from orchestrator.tasks.once import once
from orchestrator.tasks.sending import Sender
from orchestrator.telemetry import Event, log


class Hands:
    """Threads that begin with hand-offs which this process owes itself (see `engine.prompt`).

    `threads` says how many there may be of each kind of work. Once `stopping` is set they begin nothing new.
    """

    def __init__(
        self, context: Context, send: Sender, threads: Mapping[str, int], stopping: threading.Event
    ) -> None:
        self._context = context
        self._send = send
        self._stopping = stopping
        self._threads = threads
        self._busy: Counter[str] = Counter()
        self._lock = threading.Condition()

    def free(self) -> int:
        """How many more hand-offs could begin now; none where this process stops."""
        if self._stopping.is_set():
            return 0
        return max(0, self._threads.get(Task.HAND_OFF, 0) - self._busy[Task.HAND_OFF])

    def begin(self, claimed: HandOff, job: Job, siblings: list[Output]) -> None:
        """Make an attempt at a hand-off that was claimed for it.

        Whoever commits at the same moment may have asked for the same free thread: then it is one more.
        """
        with self._lock:
            self._busy[Task.HAND_OFF] += 1

        def attempt(context: Context) -> list[FollowUp]:
            return hand_off_claimed(context, claimed, job, siblings)

        self._start(Task.HAND_OFF, lambda: once(attempt, self._context, self._send))

    def _start(self, task: Task, work: Callable[[], object]) -> None:
        thread = threading.Thread(target=self._do, args=(task, work), name=f"local {task}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more of them
            self._over(task)
            self._context.held.doubt()  # a lease that nobody works under is given back
            log(Event.TASK_BROKE, level=logging.ERROR, task=task, error=repr(error))

    def _do(self, task: Task, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - as in Celery, one task that breaks ends no other
            log(Event.TASK_BROKE, level=logging.ERROR, task=task, error=repr(error))
        finally:
            self._over(task)

    def _over(self, task: Task) -> None:
        with self._lock:
            self._busy[task] -= 1
            self._lock.notify_all()

    def wait(self, seconds: float) -> None:
        """Let what is under way finish, for at most so long."""
        with self._lock:
            self._lock.wait_for(lambda: not any(self._busy.values()), timeout=seconds)
