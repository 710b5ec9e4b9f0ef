"""Finding what is due though no message says so: messages are hints, rows are the truth."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator import metrics
from orchestrator.core.job import Observation, Source
from orchestrator.core.lifecycle import Seen
from orchestrator.engine.alone import alone
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.observe import observe
from orchestrator.engine.take import match
from orchestrator.store import destinations, due_jobs, hand_offs, inbox, workers
from orchestrator.store.database import Transaction
from orchestrator.store.inbox import Entry
from orchestrator.store.workers import Pulse
from orchestrator.telemetry import Event

HORIZON = 30.0  # seconds that countdowns reach ahead; what is due later is found by a later sweep
SOON = 5.0  # seconds ahead that a sweep looks; the next one comes within a second
MOST = 200  # rows of a kind that one sweep reads; of those that are due, of each tenant
HANDS = 4  # messages of a kind that one sweep sends at once: whoever gets one goes on until nothing is due
MATCH_AGAIN_WITHIN = 300.0  # seconds; both transactions ended long before


def sweep(context: Context, *, from_beat: bool = False) -> list[FollowUp]:
    """Send for what is due and not being done, arm what is due soon, and give abandoned creates a verdict."""
    follow_ups = _bring_in_strays(context)
    with context.store.write(durable=False) as tx:
        follow_ups += due(context, tx, SOON)
        # Last, since all other sweeps wait for these rows: one that hangs here would stop them all.
        workers.pulse(tx, Pulse.SWEEP)
        if from_beat:
            workers.pulse(tx, Pulse.BEAT)
    metrics.SWEEPS.inc()
    return follow_ups


def _bring_in_strays(context: Context) -> list[FollowUp]:
    """Jobs that no message and no due time will reach: there are hardly ever any."""
    with context.store.write(durable=False) as tx:
        workers.beat(tx, context.worker)  # or a gap in our own heartbeats would void what we are doing
        strays = due_jobs.abandoned_creates(tx, limit=1) or due_jobs.overdue_creates(tx, limit=1)
        if not strays and not _unmatched(tx, limit=1):
            return []
    follow_ups: list[FollowUp] = []
    # One after the other: each holds its jobs in the order of their ids, all three together would not.
    for bring_in in (_give_up_abandoned, _time_out_held, _match_again):
        with context.store.write() as tx:
            follow_ups += bring_in(context, tx)
    return follow_ups


def _give_up_abandoned(context: Context, tx: Transaction) -> Iterator[FollowUp]:
    note = "the worker that made the create call is gone, or its time is up"
    for job in due_jobs.abandoned_creates(tx, limit=MOST):
        with alone(tx, Event.SWEEP_BROKE, job.id):
            lost = Observation(Source.CLOCK, Seen.LOST, attempt_id=job.session_id, note=note)
            yield from observe(context, tx, job.id, lost)


def _time_out_held(context: Context, tx: Transaction) -> Iterator[FollowUp]:
    """Accepted jobs that come too late: nobody claims those of a tenant that is held."""
    overdue = sorted(due_jobs.overdue_creates(tx, limit=MOST), key=lambda job: job.id)
    late, unwanted = Observation(Source.CLOCK, Seen.DEADLINE), Observation(Source.OPERATOR, Seen.CANCEL)
    for job in overdue:
        with alone(tx, Event.SWEEP_BROKE, job.id):
            yield from observe(context, tx, job.id, unwanted if job.cancel_requested_at else late)


def _match_again(context: Context, tx: Transaction) -> Iterator[FollowUp]:
    """Webhooks that were kept in the very moment in which their job learned its gateway id.

    Neither transaction saw the other one, so neither brought them together.
    """
    for entry in _unmatched(tx, limit=MOST):
        with alone(tx, Event.SWEEP_BROKE, entry.job_id, gateway_id=entry.gateway_id):
            yield from match(context, tx, entry)


def _unmatched(tx: Transaction, *, limit: int) -> list[Entry]:
    return inbox.unmatched(tx, since=tx.now - MATCH_AGAIN_WITHIN, limit=limit)


def due(context: Context, tx: Transaction, horizon: float = 0.0) -> list[FollowUp]:
    """A message for everything that is due within `horizon` seconds and that nobody holds."""
    until = tx.now + horizon
    creates = due_jobs.moments(tx, due_jobs.CREATES, until=until, limit=MOST)
    looks = due_jobs.moments(tx, due_jobs.LOOKS, until=until, limit=MOST)
    shut = destinations.left_out(tx)
    owed = hand_offs.due_moments(tx, until=until, limit=MOST, without=shut)
    found = ((Task.CREATE, creates), (Task.LOOK, looks), (Task.HAND_OFF, owed))
    return [follow_up for task, moments in found for follow_up in _messages(task, moments, tx.now)]


def _messages(task: Task, moments: list[float], now: float) -> Iterator[FollowUp]:
    overdue = sum(moment <= now for moment in moments)
    yield from [FollowUp(task)] * min(overdue, HANDS)
    for moment in moments[overdue:]:
        yield FollowUp(task, moment - now)
