"""The one way in which anything learned about a job takes effect, whatever path it came by."""

from __future__ import annotations

import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from orchestrator.core import effects, evidence
from orchestrator.core.blame import Fault
from orchestrator.core.effects import Effect
from orchestrator.core.job import Job, Observation
from orchestrator.core.learned.lessons import Lesson, taught
from orchestrator.core.lifecycle import State, Verdict
from orchestrator.engine import counting, prompt, spans, telling
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.errors import StoreError
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway import webhooks
from orchestrator.store import faults, hand_offs, inbox, jobs, lessons, observations, outputs
from orchestrator.store.database import Transaction
from orchestrator.store.inbox import Entry, EntryState
from orchestrator.telemetry import Event, log


@dataclass(frozen=True, slots=True)
class Learned:
    """An observation and what it changes about its job, which is as it was before."""

    job: Job
    seen: Observation
    effect: Effect


def observe(context: Context, tx: Transaction, job_id: str, seen: Observation) -> list[FollowUp]:
    """Apply one observation: move the job if the table says so, keep it, owe what becomes owed.

    All in the caller's transaction. Raises NotFound when there is no such job.
    """
    while True:
        learned = _learned(context, tx, jobs.lock(tx, job_id), seen)
        if write(tx, learned.job, learned.effect):
            break  # else somebody moved it since it was read: decide again
    return _keep(context, tx, [learned])[0]


def observe_held(
    context: Context, tx: Transaction, told: Sequence[tuple[Job, Observation]]
) -> list[list[FollowUp]]:
    """The same for jobs that the caller holds as they are given, each once: one statement does all of a kind.

    Returns what follows, for each. Raises StoreError where one was not held.
    """
    found = [_learned(context, tx, job, seen) for job, seen in told]
    moves = [(one.job, changes) for one in found if (changes := _changes(one.job, one.effect))]
    if not jobs.move_all_if_still(tx, moves):
        raise StoreError("a job changed while it was held", hint="this is a bug; it is tried again")
    for one in found:
        _reach_moved(one.effect)
    return _keep(context, tx, found)


def _learned(context: Context, tx: Transaction, job: Job, seen: Observation) -> Learned:
    effect = effects.effect_of(job, seen, now=tx.now, jitter=context.random(), policy=context.policy)
    return Learned(job, seen, effect)


def _keep(context: Context, tx: Transaction, learned: Sequence[Learned]) -> list[list[FollowUp]]:
    """What belongs to effects that were written."""
    told = [(one.job, one.seen, one.effect.step) for one in learned if one.effect.keep]
    observations.append_all(tx, told)
    for one in learned:
        _announce(context, tx, one.job, one.seen, one.effect)
    telling.learned(tx, [(one.job, one.effect) for one in learned])
    lessons.note_all(tx, [(one.job.id, lesson) for one in learned for lesson in _taught(tx, one)])
    for one in learned:
        _note_faults(tx, one.job, one.seen, one.effect)
    follow_ups = carry_out_all(context, tx, [(one.job, one.effect) for one in learned])
    early = _early_webhooks(context, tx, learned)
    return [its + others for its, others in zip(follow_ups, early, strict=True)]


def _taught(tx: Transaction, one: Learned) -> list[Lesson]:
    return taught(one.job, one.seen, one.effect.step, one.effect.changes, tx.now)


def _note_faults(tx: Transaction, job: Job, seen: Observation, effect: Effect) -> None:
    for met in evidence.on_the_way(job, seen, effect.step, tx.now):
        faults.note(tx, job, met)
    if job.hook_missed and job.hook_at is None and effect.changes.get("hook_at"):
        faults.withdraw(tx, job.id, Fault.HOOK_NOT_SENT)  # it came late


def write(tx: Transaction, job: Job, effect: Effect) -> bool:
    """Write an effect's changes unless the job changed since it was read."""
    changes = _changes(job, effect)
    if changes and not jobs.move_if_still(tx, job, changes):
        return False
    _reach_moved(effect)
    return True


def _changes(job: Job, effect: Effect) -> dict[str, Any]:
    return effect.changes | ({"next_seq": job.next_seq + 1} if effect.keep else {})


def _reach_moved(effect: Effect) -> None:
    if effect.step.verdict is Verdict.MOVED:
        reach(FaultPoint.OBSERVE_MOVED)


def carry_out(context: Context, tx: Transaction, job: Job, effect: Effect) -> list[FollowUp]:
    """Keep the outputs and hand-offs of an effect that was written; returns what is to happen next."""
    return carry_out_all(context, tx, [(job, effect)])[0]


def carry_out_all(
    context: Context, tx: Transaction, written: Sequence[tuple[Job, Effect]]
) -> list[list[FollowUp]]:
    """The same for several jobs; returns what is to happen next, for each."""
    for job, effect in written:
        if job.state is State.TIMED_OUT and effect.step.verdict is Verdict.MOVED:
            telling.ended(tx, job, hand_offs.withdraw(tx, job.id))  # that it timed out is no longer true
    outputs.learn_all(tx, [(job.id, seen) for job, effect in written for seen in effect.outputs])
    owing = [(replace(job, **_changes(job, effect)), effect.owed) for job, effect in written if effect.owed]
    begun = prompt.owe(context, tx, owing)
    return [_next(tx, job, effect, begun) for job, effect in written]


def _next(tx: Transaction, job: Job, effect: Effect, begun: Container[str]) -> list[FollowUp]:
    waiting = [owed for owed in effect.owed if owed.key not in begun]
    due = [owed.due_at for owed in waiting if owed.due_at is not None]
    follow_ups = [FollowUp(Task.HAND_OFF, max(0.0, due_at - tx.now)) for due_at in due]
    if effect.hasten:
        follow_ups += [FollowUp(Task.HAND_OFF)] * hand_offs.hasten(tx, job.id)
    due_at = effect.changes.get("due_at")
    if due_at is not None:
        task = Task.CREATE if effect.step.to is State.ACCEPTED else Task.LOOK
        follow_ups.append(FollowUp(task, max(0.0, due_at - tx.now)))
    return follow_ups


def _early_webhooks(context: Context, tx: Transaction, learned: Sequence[Learned]) -> list[list[FollowUp]]:
    """Apply what the gateway sent before we knew which jobs it was about; returns what follows, for each."""
    ids = [(one.job, one.effect.changes.get("gateway_id")) for one in learned]
    known = [(job, gateway_id) for job, gateway_id in ids if gateway_id and job.gateway_id is None]
    names = [(job.account_id, gateway_id, job.session_id) for job, gateway_id in known]
    entries = dict(zip((job.id for job, _ in known), inbox.waiting_for(tx, names), strict=True))
    return [_take_early(context, tx, one.job, entries.get(one.job.id, ())) for one in learned]


def _take_early(context: Context, tx: Transaction, job: Job, entries: Sequence[Entry]) -> list[FollowUp]:
    follow_ups: list[FollowUp] = []
    for entry in entries:
        inbox.settle(tx, entry.id, EntryState.APPLIED, job.id)
        delivery = webhooks.parse(entry.body)  # it was read before it was remembered
        if delivery.observation is not None and delivery.gateway_id == entry.gateway_id:
            early = replace(delivery.observation, inbox_id=entry.id, note="it had come in early")
            follow_ups += observe(context, tx, job.id, early)
    return follow_ups


def _announce(context: Context, tx: Transaction, job: Job, seen: Observation, effect: Effect) -> None:
    tx.after_commit.append(lambda: counting.learned(job, seen, effect, tx.now))
    spans.moved(context, tx, job, seen, effect)
    traced = spans.traced(context, job)
    facts: dict[str, Any] = {"seen": seen.seen, "source": seen.source} | traced
    if effect.step.verdict is Verdict.MOVED:
        facts |= {"was": job.state, "now": effect.step.to}
        tx.after_commit.append(lambda: log(Event.JOB_MOVED, job=job.id, **facts))
        if effect.step.to is State.UNCERTAIN:
            lost = partial(log, Event.CREATE_UNCERTAIN, job=job.id, level=logging.WARNING)
            tx.after_commit.append(partial(lost, session=job.session_id, **traced))
    elif effect.step.verdict is Verdict.CLASH and effect.keep:
        facts |= {"state": job.state}
        tx.after_commit.append(lambda: log(Event.JOB_CLASH, job=job.id, level=logging.WARNING, **facts))
