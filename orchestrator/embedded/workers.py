"""Celery workers inside this process, one per queue, each with threads of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from celery import Celery
from celery.app.trace import setup_worker_optimizations
from celery.worker import WorkController

from orchestrator.errors import OrchestratorError

READY_WITHIN = 15.0  # seconds


class _Worker(WorkController):
    """A worker that says when it consumes; it sends no signal of its own when embedded."""

    hostname: str

    def on_before_init(self, **options: Any) -> None:
        self.consuming = threading.Event()
        # Without this an embedded worker takes messages and never runs them, with no log line.
        setup_worker_optimizations(self.app, options.get("hostname"))

    def on_consumer_ready(self, consumer: Any) -> None:
        self.consuming.set()


class EmbeddedWorkers:
    """Starts and stops the workers of one process.

    Each needs an application of its own: which queues are consumed is kept there, and the last one wins.
    """

    def __init__(
        self, make_app: Callable[[], Celery], threads: dict[str, int], name: str, *, drain: float
    ) -> None:
        self._drain = drain
        self._stopping = False
        self._workers = [
            _Worker(
                app=make_app(),
                hostname=f"{queue}@{name}",
                queues=[queue],
                concurrency=count,
                pool="threads",
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
            )
            for queue, count in threads.items()
        ]
        self._threads = [
            threading.Thread(target=worker.start, name=worker.hostname, daemon=True)
            for worker in self._workers
        ]

    def start(self) -> None:
        """Return once every queue is consumed."""
        for thread in self._threads:
            thread.start()
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
        stopping = [threading.Thread(target=worker.stop, daemon=True) for worker in self._workers]
        for thread in stopping:
            thread.start()
        deadline = monotonic() + self._drain
        for thread in (*stopping, *self._threads):
            thread.join(timeout=max(0.0, deadline - monotonic()))
