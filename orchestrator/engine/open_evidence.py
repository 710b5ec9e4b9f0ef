"""Jobs that are still open are evidence too: leaving them out makes jobs look shorter than they are.

Hence whether jobs end at other ages than they used to is asked just after those are counted. Of jobs that
began since, only the quick ones are known: they would be taken for a change.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from orchestrator.core.learned.change import forget_what_changed
from orchestrator.core.learned.classes import wider
from orchestrator.core.learned.endings import Endings, read_endings
from orchestrator.engine.context import Context
from orchestrator.engine.legible import legible
from orchestrator.store import estimates, open_jobs, workers
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.workers import Pulse
from orchestrator.telemetry import Event, log

EVERY = 10.0  # seconds
AT_A_TIME = 100  # classes that one transaction counts, about a millisecond each
_COUNTED = ""  # the name of the one row of its kind


def count_open(context: Context) -> None:
    """Count the newest open jobs in what is known of their classes, unless somebody just did."""
    with context.store.read() as tx:
        counted_at = workers.last_pulse(tx, Pulse.OPEN_JOBS)
        if counted_at is not None and tx.now < counted_at + EVERY:
            return
        found = open_jobs.ages_of_newest(tx)
    with context.store.write(durable=False) as tx:
        if not workers.pulse_if_older(tx, Pulse.OPEN_JOBS, EVERY):
            return
    _count(context, _with_wider(found), since=counted_at or 0.0)


def _with_wider(found: dict[str, dict[float, float]]) -> dict[str, dict[float, float]]:
    together: dict[str, dict[float, float]] = {}
    for name, ages in found.items():
        for one in {name, wider(name)}:
            together.setdefault(one, {}).update(ages)
    return together


def _count(context: Context, found: dict[str, dict[float, float]], *, since: float) -> None:
    """Also of classes of which jobs were open the last time and none is now, or of which some ended since."""
    with context.store.read() as tx:
        before = legible(_classes, estimates.get(tx, EstimateKind.OPEN, _COUNTED))
        changes = estimates.changes_since(tx, since)
    learned = [name for kind, name in changes if kind is EstimateKind.ENDINGS]
    names = sorted({*found, *before, *learned})
    # A few at a time: SQLite has one writer, and whoever submits jobs names their models.
    for at in range(0, len(names), AT_A_TIME):
        with context.store.write(durable=False) as tx:
            part = [(EstimateKind.ENDINGS, name) for name in names[at : at + AT_A_TIME]]
            # Of a class of which nothing ended yet open jobs alone teach nothing.
            known = estimates.several(tx, part)
            for thing in sorted(known):
                if known[thing]:
                    _count_one(tx, thing[1], found.get(thing[1], {}))
    if before or found:
        with context.store.write(durable=False) as tx:
            estimates.lock(tx, EstimateKind.OPEN, _COUNTED)
            estimates.write(tx, EstimateKind.OPEN, _COUNTED, {"classes": sorted(found)})


def _classes(row: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in row.get("classes", [])]


def _count_one(tx: Transaction, name: str, ages: dict[float, float]) -> None:
    data = estimates.lock(tx, EstimateKind.ENDINGS, name)
    endings = legible(read_endings, data)
    endings.count_open(ages)
    _look_for_change(tx, name, endings)
    if (counted := endings.as_json()) != data:
        estimates.write(tx, EstimateKind.ENDINGS, name, counted)


def _look_for_change(tx: Transaction, name: str, endings: Endings) -> None:
    if forget_what_changed(endings):
        facts: dict[str, Any] = {"class": name, "known": round(endings.ended)}
        tx.after_commit.append(partial(log, Event.ENDINGS_CHANGED, level=logging.WARNING, **facts))
