"""Counts what the gateway says that its contract does not foresee: in memory, kept every few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from orchestrator import metrics
from orchestrator.core.drift import Drift, Seen
from orchestrator.errors import StoreError
from orchestrator.store import drift
from orchestrator.store.database import Store
from orchestrator.store.drift import Folded
from orchestrator.telemetry import Event, log

EVERY = 5.0  # seconds
MOST = 200  # names that a process tells apart between two times that it keeps them


@dataclass(slots=True)
class Drifts:
    """What this process saw since it last kept it. Threads share it."""

    _folded: dict[Drift, Folded] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def see(self, found: Iterable[Seen], request_id: str | None) -> None:
        """Count what was found in one answer or webhook, which mostly is nothing."""
        for one in found:
            self._add({one.drift: Folded(1, one.sample, request_id)})

    def keep(self, store: Store) -> None:
        """Write it, if there is any. Raises StoreError; then it is written the next time."""
        with self._lock:
            taken, self._folded = self._folded, {}
        if not taken:
            return
        try:
            with store.write(durable=False) as tx:
                tx.after_commit.append(lambda: _count(taken))
                for new in drift.add(tx, taken):
                    sample = taken[new].sample if new in taken else None  # not where others are told with it
                    facts = {"kind": new.kind, "place": new.place, "name": new.name, "sample": sample}
                    tx.after_commit.append(partial(log, Event.DRIFT_SEEN, level=logging.WARNING, **facts))
        except StoreError:
            self._add(taken)
            raise

    def keep_the_last(self, store: Store) -> None:
        """The same at the end of a process, which a database that is away does not hold up."""
        with suppress(StoreError):
            self.keep(store)

    def _add(self, seen: dict[Drift, Folded]) -> None:
        with self._lock:
            for one, folded in seen.items():
                known = one in self._folded or len(self._folded) < MOST
                kept = one if known else one.of_others
                before = self._folded.get(kept)
                self._folded[kept] = folded if before is None else before.and_then(folded)


def _count(kept: Mapping[Drift, Folded]) -> None:
    """By kind and place alone: names are the gateway's to choose."""
    for one, folded in kept.items():
        metrics.DRIFT.labels(one.kind, one.place).inc(folded.times)
