"""Webhooks that should have come: counted over the open jobs of an endpoint, they tell that it fell silent.

No look is needed for that. Jobs that take longer than they used to look just the same for a while: then they
are looked at by the guidance until webhooks come again, which is what one would want to do about it anyway.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Any

from orchestrator.core.learned.hooks import CONCLUSIVE, Health, Hooks, read_hooks
from orchestrator.core.learned.silence import expected
from orchestrator.engine.context import Context
from orchestrator.engine.legible import legible
from orchestrator.store import estimates, open_jobs
from orchestrator.store.database import Transaction
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.open_jobs import Running
from orchestrator.telemetry import Event, log


def fell_silent(context: Context, endpoint: str, account_id: str) -> bool:
    """Whether so many webhooks are overdue that the endpoint is silent now; then that is kept."""
    with context.store.read() as tx:
        known = legible(read_hooks, estimates.get(tx, EstimateKind.HOOKS, endpoint))
        if known.last_came_at is None:
            return False
        missing = _missing(context, tx, open_jobs.awaited(tx, account_id), known.last_came_at)
    if missing < CONCLUSIVE:
        return False
    with context.store.write(durable=False) as tx:
        return _keep(tx, endpoint, known, missing)


def _missing(context: Context, tx: Transaction, waiting: Iterable[Running], last_came_at: float) -> float:
    pairs: dict[tuple[str, str], list[Running]] = defaultdict(list)
    for one in waiting:
        pairs[one.ending_class or "", one.channel].append(one)
    missing = 0.0
    for (class_name, channel), jobs in pairs.items():
        schedule = context.paces.schedules.get((class_name, channel))
        if schedule is None or schedule.pace.plan is None:
            continue  # they follow the guidance anyway
        missing += expected(
            [(job.created_at, job.seen_running_at) for job in jobs],
            schedule.pace.plan.ended_by,
            last_came_at=last_came_at,
            patience=legible(read_hooks, estimates.get(tx, EstimateKind.HOOKS, channel)).patience,
            now=tx.now,
            lost=schedule.pace.plan.lost or 0.0,
        )
    return missing


def _keep(tx: Transaction, endpoint: str, known: Hooks, missing: float) -> bool:
    hooks = legible(read_hooks, estimates.lock(tx, EstimateKind.HOOKS, endpoint))
    if hooks.last_came_at != known.last_came_at:
        return False  # one has just come
    was = hooks.health
    if hooks.judge(tx.now, missing) is was:
        return False
    estimates.write(tx, EstimateKind.HOOKS, endpoint, hooks.as_json())
    facts: dict[str, Any] = {"channel": endpoint, "was": was, "now": hooks.health, "overdue": round(missing)}
    tx.after_commit.append(partial(log, Event.HOOKS_CHANGED, level=logging.WARNING, **facts))
    return hooks.health is Health.SILENT
