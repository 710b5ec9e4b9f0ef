"""Finding what is due though no message says so: messages are hints, rows are the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.core.job import Observation, Source
from orchestrator.core.lifecycle import Seen, State
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.observe import observe
from orchestrator.store import hand_offs, inbox, jobs, observations, workers
from orchestrator.store.database import Transaction
from orchestrator.telemetry import Event, log

HORIZON = 30.0  # seconds that countdowns reach ahead; what is due later is found by a later sweep
MOST = 200  # rows of a kind that one sweep reads
HANDS = 16  # messages of a kind that one sweep sends at once: whoever gets one goes on until nothing is due
DAY = 86_400.0
HOUSEKEEPING_EVERY = 60.0


def sweep(context: Context) -> list[FollowUp]:
    """Send for what is due and not being done, arm what is due soon, and give abandoned creates a verdict."""
    with context.store.write() as tx:
        workers.beat(tx, context.worker)  # or a gap in our own heartbeats would void what we are doing
        follow_ups = []
        for job in jobs.abandoned_creates(tx, limit=MOST):
            note = "the worker that made the create call is gone, or its time is up"
            lost = Observation(Source.CLOCK, Seen.LOST, attempt_id=job.session_id, note=note)
            follow_ups += observe(context, tx, job.id, lost)
        workers.pulse(tx, "sweep")
        _keep_house(context, tx)
        follow_ups += due(tx, HORIZON)
    return follow_ups


def due(tx: Transaction, horizon: float = 0.0) -> list[FollowUp]:
    """A message for everything that is due within `horizon` seconds and that nobody holds."""
    until = tx.now + horizon
    creates = jobs.due_moments(tx, [State.ACCEPTED], until=until, limit=MOST)
    looks = jobs.due_moments(tx, jobs.LOOKED_AT, until=until, limit=MOST)
    owed = hand_offs.due_moments(tx, until=until, limit=MOST)
    found = ((Task.CREATE, creates), (Task.LOOK, looks), (Task.HAND_OFF, owed))
    return [follow_up for task, moments in found for follow_up in _messages(task, moments, tx.now)]


def _messages(task: Task, moments: list[float], now: float) -> Iterator[FollowUp]:
    overdue = sum(moment <= now for moment in moments)
    yield from [FollowUp(task)] * min(overdue, HANDS)
    for moment in moments[overdue:]:
        yield FollowUp(task, moment - now)


def _keep_house(context: Context, tx: Transaction) -> None:
    last = workers.last_pulse(tx, "housekeeping")
    if last is not None and tx.now < last + HOUSEKEEPING_EVERY:
        return
    workers.pulse(tx, "housekeeping")
    settings = context.settings
    gone: dict[str, Any] = {
        "observations": observations.prune(tx, before=tx.now - settings.retain_observations_days * DAY),
        "inbox": inbox.prune(tx, before=tx.now - settings.retain_inbox_days * DAY),
        "rejections": inbox.prune_rejections(tx, before=tx.now - settings.retain_inbox_days * DAY),
        "workers": workers.bury_dead(tx),
    }
    if any(gone.values()):
        tx.after_commit.append(lambda: log(Event.SWEPT, **gone))
