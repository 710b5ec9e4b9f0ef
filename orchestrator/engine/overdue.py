"""Webhooks that should have come: counted over the open jobs of an endpoint, they tell that it fell silent.

No look is needed for that. Jobs that take longer than they used to look just the same for a while: then they
are looked at by the guidance until webhooks come again, which is what one would want to do about it anyway.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.core.learned.classes import parts
from orchestrator.core.learned.hooks import CONCLUSIVE, Health, read_hooks
from orchestrator.core.learned.silence import expected
from orchestrator.engine import outage
from orchestrator.engine.context import Context
from orchestrator.engine.legible import legible
from orchestrator.store import estimates, lessons, open_jobs
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.open_jobs import Running
from orchestrator.telemetry import Event, log


@dataclass(frozen=True, slots=True)
class Missing:
    """How many webhooks should have come since the last one did."""

    count: float
    last_came_at: float


def count(context: Context, endpoints: Sequence[str]) -> dict[str, Missing]:
    """What is overdue at each of these, where that is enough to be sure."""
    with context.store.read() as tx:
        awaited_since = outage.awaited_since(tx)
        if awaited_since is None:
            return {}
        found = {endpoint: _missing_at(context, tx, endpoint, awaited_since) for endpoint in endpoints}
    return {endpoint: missing for endpoint, missing in found.items() if missing is not None}


def _missing_at(context: Context, tx: Transaction, endpoint: str, awaited_since: float) -> Missing | None:
    account_id = parts(endpoint)[0]
    since = legible(read_hooks, estimates.get(tx, EstimateKind.HOOKS, endpoint)).last_came_at
    # What came and is not folded yet is missing here as if it had not come.
    if since is None or lessons.tell_of_webhooks(tx, account_id):
        return None
    missing = _missing(context, tx, open_jobs.awaited(tx, account_id), since, awaited_since)
    return Missing(missing, since) if missing >= CONCLUSIVE else None


def _missing(
    context: Context, tx: Transaction, waiting: Iterable[Running], last_came_at: float, awaited_since: float
) -> float:
    pairs: dict[tuple[str, str], list[Running]] = defaultdict(list)
    for one in waiting:
        pairs[one.ending_class or "", one.channel].append(one)
    missing = 0.0
    for (class_name, channel), jobs in pairs.items():
        schedule = context.paces.schedules.get((class_name, channel))
        if schedule is None or schedule.pace.plan is None:
            continue  # they follow the guidance anyway
        patience = legible(read_hooks, estimates.get(tx, EstimateKind.HOOKS, channel)).patience
        missing += expected(
            [(job.created_at, job.seen_running_at) for job in jobs],
            schedule.pace.plan.ended_by,
            # Of what ended before that none was told, and none is missed.
            last_came_at=max(last_came_at, awaited_since + patience),
            patience=patience,
            now=tx.now,
            lost=schedule.pace.plan.lost or 0.0,
        )
    return missing


def makes_silent(tx: Transaction, endpoint: str, missing: Missing) -> bool:
    """Whether the endpoint is silent now because of that; then that is kept."""
    hooks = legible(read_hooks, estimates.lock(tx, EstimateKind.HOOKS, endpoint))
    if hooks.last_came_at != missing.last_came_at:
        return False  # one has just come
    was = hooks.health
    if hooks.judge(tx.now, missing.count) is was:
        return False
    estimates.write(tx, EstimateKind.HOOKS, endpoint, hooks.as_json())
    facts: dict[str, Any] = {
        "channel": endpoint,
        "was": was,
        "now": hooks.health,
        "overdue": round(missing.count),
    }
    tx.after_commit.append(partial(log, Event.HOOKS_CHANGED, level=logging.WARNING, **facts))
    return hooks.health is Health.SILENT
