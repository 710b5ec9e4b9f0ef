"""Puts what was learned into the database, as if many jobs had ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.core.learned.classes import wider
from orchestrator.core.learned.endings import Endings
from orchestrator.core.learned.hooks import Hooks
from orchestrator.core.learned.spans import Spans
from orchestrator.store import estimates, jobs
from orchestrator.store.estimates import EstimateKind
from tests.integration.cli.conftest import Rows

CLASS, CHANNEL = "google|m|usual", "default|google"


def learned_ends(rows: Rows, ages: Sequence[float], name: str = CLASS) -> None:
    """Jobs of a class ended at these ages, each known to the second."""
    endings = Endings()
    for number, age in enumerate(ages):
        endings.learn(began_at=float(number), low=age - 1.0, high=age, narrow=True)
    for one in {name, wider(name)}:
        _write(rows, EstimateKind.ENDINGS, one, endings.as_json())


def learned_hooks(rows: Rows, outcomes: str, *, late: float = 0.5, at: float = 1e9) -> None:
    """Webhooks came, `1`, or did not, `0`; those that came so many seconds late."""
    hooks = Hooks()
    for number, came in enumerate(outcomes):
        if came == "1":
            hooks.learn_came(at + number)
            delay = Spans()
            delay.add(late, late + 0.1)
            hooks.learn_delay(delay)
        else:
            hooks.learn_missed("HTTP 503")
        hooks.judge(at + number)
    _write(rows, EstimateKind.HOOKS, CHANNEL, hooks.as_json())


def waiting(
    rows: Rows, gateway_id: str, *, age: float, looked: float | None, due_in: float, **more: Any
) -> str:
    """A job of the class, so old, looked at so many seconds ago, whose next look is due in so many."""
    job_id = rows.created(gateway_id)
    with rows.context.store.write() as tx:
        now = tx.now
        facts = {"provider": "google", "ending_class": CLASS, "created_at": now - age, "poll_after": 20.0}
        facts |= {"due_at": now + due_in, "deadline_at": now + 9_000.0}
        if looked is not None:
            facts |= {"last_look_at": now - looked, "seen_running_at": now - looked, "looks": 1}
        jobs.note(tx, job_id, facts | more)
    return job_id


def _write(rows: Rows, kind: EstimateKind, name: str, data: dict[str, Any]) -> None:
    with rows.context.store.write() as tx:
        estimates.lock(tx, kind, name)
        estimates.write(tx, kind, name, data)
