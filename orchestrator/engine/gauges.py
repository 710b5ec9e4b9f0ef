"""What is read from rows for whoever watches: the same from every process, so few tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator import metrics
from orchestrator.core.learned.hooks import Health
from orchestrator.engine import alarms, hook_health
from orchestrator.engine.context import Context
from orchestrator.metrics import Reading, readings
from orchestrator.store import destinations, due_jobs, gauges, hand_offs, workers
from orchestrator.store.database import Transaction

MOST_IN_LINE = 1_000
MOST_CHANNELS = 200  # the worst of them; an account of each tenant has some
NEWS_WITHIN = 86_400.0  # seconds: channels of which nothing was heard for longer are left out
ARCHIVE_EVERY = 600.0  # seconds; counting it reads a row for each file


@dataclass(slots=True)
class Gauges:
    """Reads them. What is expensive is read seldom, and told again meanwhile."""

    context: Context
    beat_expected: bool
    _archive: tuple[float, list[Reading]] | None = None

    def read(self, wall_clock: float) -> list[Reading]:
        """All of them, as of now."""
        with self.context.store.read() as tx:
            found = [*_work(tx), *_hand_offs(tx), *_processes(tx), *_channels(tx)]
            ringing = alarms.read(tx, wall_clock=wall_clock, beat_expected=self.beat_expected)
            found += [(metrics.ALARMS, (one.name, one.about or ""), 1) for one in ringing]
            return found + self._of_archive(tx)

    def _of_archive(self, tx: Transaction) -> list[Reading]:
        if self._archive is None or self.context.clock() - self._archive[0] > ARCHIVE_EVERY:
            files, size = gauges.archive_size(tx)
            told: list[Reading] = [(metrics.ARCHIVE_FILES, (), files), (metrics.ARCHIVE_BYTES, (), size)]
            self._archive = self.context.clock(), told
        return self._archive[1]


def _work(tx: Transaction) -> Iterator[Reading]:
    yield from readings(metrics.OPEN, gauges.open_jobs(tx))
    yield from readings(metrics.LEASES, gauges.leases(tx))
    shut = destinations.left_out(tx)
    held = alarms.BEHIND_AFTER
    kinds = (due_jobs.CREATES, due_jobs.LOOKS)
    due = {one.name: due_jobs.count(tx, one, held_within=held, most=MOST_IN_LINE) for one in kinds}
    due[hand_offs.HAND_OFFS.name] = hand_offs.count_due(tx, most=MOST_IN_LINE, without=shut)
    yield from readings(metrics.DUE, due)
    since = {one.name: due_jobs.since(tx, one, held_within=held) for one in kinds}
    since[hand_offs.HAND_OFFS.name] = hand_offs.due_since(tx, without=shut)
    late = {name: 0.0 if at is None else max(tx.now - at, 0.0) for name, at in since.items()}
    yield from readings(metrics.DUE_LAG, late)


def _hand_offs(tx: Transaction) -> Iterator[Reading]:
    yield from readings(metrics.OWED, gauges.owed(tx))
    yield from readings(metrics.DEAD, gauges.dead(tx))
    for one in destinations.failing(tx).values():
        if one.disabled_at is not None:
            yield metrics.SHUT, (one.name, "disabled"), 1
        elif one.shut_until is not None:
            yield metrics.SHUT, (one.name, "failing"), 1


def _processes(tx: Transaction) -> Iterator[Reading]:
    yield metrics.WORKERS, (), len(workers.alive(tx))
    for pulse, at in workers.every_pulse(tx).items():
        if pulse in workers.RECURRENT:
            yield metrics.PULSES, (pulse,), max(tx.now - at, 0.0)


def _channels(tx: Transaction) -> Iterator[Reading]:
    known = hook_health.of_every(tx, changed_since=tx.now - NEWS_WITHIN)
    worst = sorted(known, key=lambda one: list(Health).index(one.health), reverse=True)
    for one in worst[:MOST_CHANNELS]:
        yield metrics.HOOKS, (one.account, one.provider or "", one.health), 1
