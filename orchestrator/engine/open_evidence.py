"""Jobs that are still open are evidence too: leaving them out makes jobs look shorter than they are."""

from __future__ import annotations

from orchestrator.core.learned.classes import wider
from orchestrator.core.learned.endings import read_endings
from orchestrator.engine.context import Context
from orchestrator.store import estimates, open_jobs, workers
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.workers import Pulse

EVERY = 30.0  # seconds
_COUNTED = ""  # the name of the one row of its kind


def count_open(context: Context) -> None:
    """Count the newest open jobs in what is known of their classes, unless somebody just did."""
    with context.store.read() as tx:
        counted_at = workers.last_pulse(tx, Pulse.OPEN_JOBS)
        if counted_at is not None and tx.now < counted_at + EVERY:
            return
        found = open_jobs.ages_of_newest(tx)
    with context.store.write(durable=False) as tx:
        if workers.pulse_if_older(tx, Pulse.OPEN_JOBS, EVERY):
            _count(tx, _with_wider(found))


def _with_wider(found: dict[str, dict[float, float]]) -> dict[str, dict[float, float]]:
    together: dict[str, dict[float, float]] = {}
    for name, ages in found.items():
        for one in {name, wider(name)}:
            together.setdefault(one, {}).update(ages)
    return together


def _count(tx: Transaction, found: dict[str, dict[float, float]]) -> None:
    """Also of classes of which jobs were open the last time and none is now."""
    before = estimates.get(tx, EstimateKind.OPEN, _COUNTED).get("classes", [])
    for name in sorted({*found, *before}):
        if not estimates.get(tx, EstimateKind.ENDINGS, name):
            continue  # nothing ended yet: open jobs alone teach nothing
        data = estimates.lock(tx, EstimateKind.ENDINGS, name)
        endings = read_endings(data)
        endings.count_open(found.get(name, {}))
        if (counted := endings.as_json()) != data:
            estimates.write(tx, EstimateKind.ENDINGS, name, counted)
    if before or found:
        estimates.lock(tx, EstimateKind.OPEN, _COUNTED)
        estimates.write(tx, EstimateKind.OPEN, _COUNTED, {"classes": sorted(found)})
