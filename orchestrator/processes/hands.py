"""Work without messages: by threads of a process that do what they are given."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from orchestrator.core.job import HandOff, Job, Output, Owed
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.hand_off import hand_off_claimed
from orchestrator.tasks.once import once
from orchestrator.tasks.sending import Sender
from orchestrator.telemetry import Event, log

LATELY = 0.5  # seconds
MOST_WAITING = 64  # hand-offs


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    destination: str
    work: Callable[[], object]
    held: ExitStack  # that this process works on it, from when it waits on


class Hands:
    """Threads that begin with hand-offs which this process owes itself (see `engine.prompt`).

    `threads` says how many there may be of each kind of work. Once `stopping` is set they begin nothing new.
    As many as ended lately may wait here for a thread, and for a place at their destination: they have one
    sooner than a message would have brought them to a worker.
    """

    def __init__(
        self, context: Context, send: Sender, threads: Mapping[str, int], stopping: threading.Event
    ) -> None:
        self._context = context
        self._send = send
        self._stopping = stopping
        self._threads = threads
        self._busy: Counter[str] = Counter()  # by kind of work
        self._at_work: Counter[str] = Counter()  # hand-offs of our own, by destination
        self._waiting: list[_Attempt] = []
        self._ended: deque[tuple[float, str]] = deque(maxlen=MOST_WAITING)
        self._lock = threading.Condition()

    def choose(self, owed: Sequence[Owed]) -> list[Owed]:
        """Those that could begin now, or in a moment; none where this process stops."""
        if self._stopping.is_set():
            return []
        with self._lock:
            lately, there = self._ended_lately(), self._under_way()
            room = self._threads.get(Task.HAND_OFF, 0) + lately.total()
            room -= self._busy[Task.HAND_OFF] + len(self._waiting)
            chosen: list[Owed] = []
            for one in owed:
                most = self._context.most_at_once(one.destination) + lately[one.destination]
                if len(chosen) < room and there[one.destination] < most:
                    chosen.append(one)
                    there[one.destination] += 1
            return chosen

    def _ended_lately(self) -> Counter[str]:
        """As many there may wait: so none does for much longer than that."""
        since = self._context.clock() - LATELY
        while self._ended and self._ended[0][0] <= since:
            self._ended.popleft()
        return Counter(destination for _, destination in self._ended)

    def _under_way(self) -> Counter[str]:
        return Counter(self._context.places.taken()) + Counter(one.destination for one in self._waiting)

    def begin(self, claimed: HandOff, job: Job, siblings: list[Output]) -> None:
        """Make an attempt at a hand-off that was claimed for it.

        Whoever commits at the same moment may have asked for the same free thread: then it is one more.
        """

        def attempt(context: Context) -> list[FollowUp]:
            return hand_off_claimed(context, claimed, job, siblings)

        one = _Attempt(claimed.destination, partial(once, attempt, self._context, self._send), ExitStack())
        one.held.enter_context(self._context.held.working([claimed]))
        with self._lock:
            if self._has_to_wait(one.destination):
                self._waiting.append(one)
                return
            self._busy[Task.HAND_OFF] += 1
            self._at_work[one.destination] += 1
        if not self._start(Task.HAND_OFF, partial(self._do_all, one)):
            self._end(one)

    def _has_to_wait(self, destination: str) -> bool:
        """Only where somebody is at work who will come for it, and soon."""
        lately = self._ended_lately()
        if self._at_work.total() >= self._threads.get(Task.HAND_OFF, 0):
            return lately.total() > 0
        full = destination in self._context.places.full(self._context.most_at_once)
        return full and self._at_work[destination] > 0 and lately[destination] > 0

    def _do_all(self, one: _Attempt | None) -> None:
        while one is not None:
            self._try(Task.HAND_OFF, one.work)  # what waits must not wait on where one breaks
            self._end(one)
            one = self._next()

    def _end(self, one: _Attempt) -> None:
        one.held.close()
        with self._lock:
            self._at_work[one.destination] -= 1
            self._ended.append((self._context.clock(), one.destination))

    def _next(self) -> _Attempt | None:
        """What waited longest, but where others will come for it; in a process that stops, nothing.

        What is left then is free once this process has left.
        """
        with self._lock:
            if self._stopping.is_set():
                self._waiting.clear()
            full = self._context.places.full(self._context.most_at_once)
            for one in self._waiting:
                if one.destination not in full or not self._at_work[one.destination]:
                    self._waiting.remove(one)
                    self._at_work[one.destination] += 1
                    return one
            return None

    def _start(self, task: Task, work: Callable[[], object]) -> bool:
        """Do it in a thread of its own, which counts as busy already."""
        thread = threading.Thread(target=self._do, args=(task, work), name=f"local {task}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system gives no more of them
            self._over(task)
            self._context.held.doubt()  # a lease that nobody works under is given back
            log(Event.TASK_BROKE, level=logging.ERROR, task=task, error=repr(error))
            return False
        return True

    def _do(self, task: Task, work: Callable[[], object]) -> None:
        try:
            self._try(task, work)
        finally:
            self._over(task)

    def _try(self, task: Task, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - as in Celery, one task that breaks ends no other
            log(Event.TASK_BROKE, level=logging.ERROR, task=task, error=repr(error))

    def _over(self, task: Task) -> None:
        with self._lock:
            self._busy[task] -= 1
            self._lock.notify_all()

    def wait(self, seconds: float) -> None:
        """Let what is under way finish, for at most so long."""
        with self._lock:
            self._lock.wait_for(lambda: not any(self._busy.values()), timeout=seconds)
