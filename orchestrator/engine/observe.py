"""The one way in which anything learned about a job takes effect, whatever path it came by."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

from orchestrator.core import effects, evidence
from orchestrator.core.blame import Fault
from orchestrator.core.effects import Effect
from orchestrator.core.job import Job, Observation
from orchestrator.core.learned.lessons import taught
from orchestrator.core.lifecycle import State, Verdict
from orchestrator.engine import counting, spans, telling
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway import webhooks
from orchestrator.store import faults, hand_offs, inbox, jobs, lessons, observations, outputs
from orchestrator.store.database import Transaction
from orchestrator.store.inbox import EntryState
from orchestrator.telemetry import Event, log


def observe(context: Context, tx: Transaction, job_id: str, seen: Observation) -> list[FollowUp]:
    """Apply one observation: move the job if the table says so, keep it, owe what becomes owed.

    All in the caller's transaction. Raises NotFound when there is no such job.
    """
    while True:
        job = jobs.lock(tx, job_id)
        effect = effects.effect_of(job, seen, now=tx.now, jitter=context.random(), policy=context.policy)
        if write(tx, job, effect):
            break  # else somebody moved it since it was read: decide again
    if effect.keep:
        observations.append(tx, job, seen, effect.step)
    _announce(context, tx, job, seen, effect)
    telling.learned(tx, job, effect)
    lessons.note(tx, job.id, taught(job, seen, effect.step, effect.changes, tx.now))
    _note_faults(tx, job, seen, effect)
    follow_ups = carry_out(tx, job, effect)
    if job.gateway_id is None and effect.changes.get("gateway_id"):
        follow_ups += _early_webhooks(context, tx, job, effect.changes["gateway_id"])
    return follow_ups


def _note_faults(tx: Transaction, job: Job, seen: Observation, effect: Effect) -> None:
    for met in evidence.on_the_way(job, seen, effect.step, tx.now):
        faults.note(tx, job, met)
    if job.hook_missed and job.hook_at is None and effect.changes.get("hook_at"):
        faults.withdraw(tx, job.id, Fault.HOOK_NOT_SENT)  # it came late


def write(tx: Transaction, job: Job, effect: Effect) -> bool:
    """Write an effect's changes unless the job changed since it was read."""
    numbered = {"next_seq": job.next_seq + 1} if effect.keep else {}
    changes = effect.changes | numbered
    if changes and not jobs.move_if_still(tx, job, changes):
        return False
    if effect.step.verdict is Verdict.MOVED:
        reach(FaultPoint.OBSERVE_MOVED)
    return True


def carry_out(tx: Transaction, job: Job, effect: Effect) -> list[FollowUp]:
    """Keep the outputs and hand-offs of an effect that was written; returns what is to happen next."""
    if job.state is State.TIMED_OUT and effect.step.verdict is Verdict.MOVED:
        telling.ended(tx, job, hand_offs.withdraw(tx, job.id))  # that it timed out is no longer true
    outputs.learn(tx, job.id, effect.outputs)
    hand_offs.owe(tx, effect.owed)
    due = [owed.due_at for owed in effect.owed if owed.due_at is not None]
    follow_ups = [FollowUp(Task.HAND_OFF, max(0.0, due_at - tx.now)) for due_at in due]
    if effect.hasten:
        follow_ups += [FollowUp(Task.HAND_OFF)] * hand_offs.hasten(tx, job.id)
    due_at = effect.changes.get("due_at")
    if due_at is not None:
        task = Task.CREATE if effect.step.to is State.ACCEPTED else Task.LOOK
        follow_ups.append(FollowUp(task, max(0.0, due_at - tx.now)))
    return follow_ups


def _early_webhooks(context: Context, tx: Transaction, job: Job, gateway_id: str) -> list[FollowUp]:
    """Apply what the gateway sent before we knew which job it was about."""
    follow_ups: list[FollowUp] = []
    for entry in inbox.waiting_for(tx, job.account_id, gateway_id, job.session_id):
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
