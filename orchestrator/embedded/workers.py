"""Celery workers inside this process, one per queue, each with threads of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.app.trace import setup_worker_optimizations
from celery.worker import WorkController

from orchestrator.errors import OrchestratorError

READY_WITHIN = 15.0  # seconds
DRAIN_WITHIN = 10.0  # what still runs after that is found again by its lease


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

    def __init__(self, make_app: Callable[[], Celery], threads: dict[str, int], name: str) -> None:
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

    def stop(self) -> None:
        """Take no more messages and let what runs finish."""
        stopping = [threading.Thread(target=worker.stop, daemon=True) for worker in self._workers]
        for thread in stopping:
            thread.start()
        for thread in (*stopping, *self._threads):
            thread.join(timeout=DRAIN_WITHIN)
