"""Celery workers inside this process, one per queue, each with threads of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from celery import Celery
from celery.app.trace import setup_worker_optimizations
from celery.platforms import EX_OK
from celery.worker import WorkController, state
from kombu.asynchronous import set_event_loop

from orchestrator.engine.follow_up import Task
from orchestrator.errors import OrchestratorError
from orchestrator.processes.hands import Hands
from orchestrator.settings import Settings

READY_WITHIN = 60.0  # seconds; a machine may be busy with many that start


class _Worker(WorkController):
    """A worker that says when it consumes; it sends no signal of its own when embedded."""

    hostname: str
    hub: Any
    consumer: Any

    def on_before_init(self, **options: Any) -> None:
        self.consuming = threading.Event()
        # Without this an embedded worker takes messages and never runs them, with no log line.
        setup_worker_optimizations(self.app, options.get("hostname"))

    def on_consumer_ready(self, consumer: Any) -> None:
        self.consuming.set()

    def leave(self) -> None:
        """Take no more messages, let what runs finish."""
        if self.hub is None:
            self.stop()
        else:  # its event loop is its own thread's: wake it, so that it sees that it should stop
            self.hub.call_soon(lambda: None)


def threads(settings: Settings) -> dict[str, int]:
    """How many threads of one process serve each queue."""
    return {
        Task.CREATE: settings.create_threads,
        Task.LOOK: settings.look_threads,
        Task.HAND_OFF: settings.hand_off_threads,
        Task.SWEEP: 1,
    }


def _worker(app: Celery, queue: str, threads: int, name: str) -> _Worker:
    # Else all workers of a process would share the event loop of the first, each in a thread of its own.
    set_event_loop(None)
    return _Worker(
        app=app,
        hostname=f"{queue}@{name}",
        queues=[queue],
        concurrency=threads,
        pool="threads",
        # Workers need not know of each other: who lives is in the database, and nothing is ever revoked.
        # Each of these would send to all others, or wait at the start for their answers.
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )


class EmbeddedWorkers:
    """Starts and stops the workers of one process.

    Each needs an application of its own: which queues are consumed is kept there, and the last one wins.
    """

    def __init__(
        self, make_app: Callable[[], Celery], threads: dict[str, int], name: str, *, drain: float
    ) -> None:
        self._drain = drain
        self._stopping = False
        self._workers = [_worker(make_app(), queue, count, name) for queue, count in threads.items()]
        self._threads = [
            threading.Thread(target=worker.start, name=worker.hostname, daemon=True)
            for worker in self._workers
        ]

    def start(self) -> None:
        """Begin to consume; where the broker is away, as soon as it is there."""
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Return once every queue is consumed. Raises OrchestratorError when that takes too long."""
        for worker in self._workers:
            if not worker.consuming.wait(READY_WITHIN):
                raise OrchestratorError(f"the worker {worker.hostname} did not start")

    def dead(self) -> list[str]:
        """The workers that take no messages any more though nobody stopped them."""
        if self._stopping:
            return []
        return [thread.name for thread in self._threads if not thread.is_alive()]

    def stop(self) -> None:
        """Take no more messages and let what runs finish, for as long as draining may take."""
        self._stopping = True
        state.should_stop = EX_OK  # type: ignore[assignment]  # the only word that a worker hears which waits for its broker
        try:
            stopping = [threading.Thread(target=worker.leave, daemon=True) for worker in self._workers]
            for thread in stopping:
                thread.start()
            deadline = monotonic() + self._drain
            for thread in (*stopping, *self._threads):
                thread.join(timeout=max(0.0, deadline - monotonic()))
        finally:
            state.should_stop = None  # it is the word to every worker of this process, later ones too


def drain(consuming: EmbeddedWorkers, hands: Hands, seconds: float) -> None:
    """Begin nothing more, and let what is under way finish, for at most so long."""
    deadline = monotonic() + seconds
    consuming.stop()
    hands.wait(max(0.0, deadline - monotonic()))
