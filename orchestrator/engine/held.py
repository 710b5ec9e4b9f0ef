"""What a process works on at this moment, so that a lease under which nobody works is found.

An attempt that lost the database half-way leaves its lease behind, and so does a claim whose commit was never
confirmed. The worker lives, so such a lease would last until it runs out, which takes minutes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestrator.core.job import HandOff, Job
from orchestrator.store import leases
from orchestrator.store.leases import Lease
from orchestrator.telemetry import Event, log

if TYPE_CHECKING:
    from orchestrator.engine.context import Context

PASSES = 2  # after a doubt; a claim is counted as work a moment after its commit, not in it


@dataclass(slots=True)
class Held:
    """The leases that this process works under, and whether there may be others."""

    _working: set[Lease] = field(default_factory=set)
    _passes: int = 0
    _suspects: set[Lease] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def working(self, claimed: Iterable[Job | HandOff]) -> Iterator[None]:
        """While somebody works on these rows."""
        mine = {Lease("job" if isinstance(one, Job) else "hand_off", one.id, one.fence) for one in claimed}
        with self._lock:
            self._working |= mine
        try:
            yield
        finally:
            with self._lock:
                self._working -= mine

    def doubt(self) -> None:
        """The database failed somebody: leases may have been left behind."""
        with self._lock:
            self._passes = PASSES

    def _left(self, leased: set[Lease]) -> set[Lease]:
        """Those of the worker's leases that nobody works under, now and when it was asked last."""
        with self._lock:
            suspects = leased - self._working
            left, self._suspects = suspects & self._suspects, suspects - self._suspects
            self._passes = PASSES if self._suspects else self._passes - 1
            return left

    def give_back(self, context: Context) -> None:
        """Free what this worker has leased and does not work on. Called again and again; does little."""
        if self._passes <= 0:
            return
        with context.store.write(durable=False) as tx:
            left = self._left(leases.of_worker(tx, context.worker))
            in_turn = sorted(left, key=leases.lock_order)
            freed = sum(leases.end_if_still(tx, context.worker, lease) for lease in in_turn)
            if freed:
                tx.after_commit.append(lambda: log(Event.LEASES_FREED, level=logging.WARNING, count=freed))
