"""What a replayed webhook, or a person's decision, would change now. Nothing is written for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from orchestrator.core import effects
from orchestrator.core.effects import Effect
from orchestrator.core.job import HandOffState, Job, Observation, Owed
from orchestrator.core.lifecycle import State, Verdict
from orchestrator.engine.context import Context
from orchestrator.engine.take import Fate, fate_of, job_of, said_again
from orchestrator.gateway import webhooks
from orchestrator.store import hand_offs, inbox
from orchestrator.store.database import Transaction
from orchestrator.store.inbox import Entry, Rejection

# What a person can do nothing with: who holds the job, and what the next numbers are.
_INNER = frozenset(
    {"fence", "leased_by", "lease_until", "next_seq", "state_since", "hook_at", "ending_class"}
)


@dataclass(frozen=True, slots=True)
class Change:
    """One fact about a job that would be another one. `name` is the column's."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would happen. `verdict` is None where no job would be touched; `owed`: what would be handed off.

    `told`: whether the timeline would get an entry.
    """

    fate: Fate
    job: Job | None = None
    verdict: Verdict | None = None
    to: State | None = None
    changes: tuple[Change, ...] = ()
    owed: tuple[Owed, ...] = ()
    outputs: int = 0
    told: bool = False

    @property
    def mark(self) -> str:
        """Another one, once what would happen is not the same any more."""
        owed = sorted(one.key for one in self.owed)
        what = (
            self.fate,
            self.job and (self.job.id, self.job.state),
            self.verdict,
            self.to,
            owed,
            self.outputs,
        )
        return sha256(repr(what).encode()).hexdigest()[:16]


def of_entry(context: Context, tx: Transaction, entry: Entry) -> Foreseen:
    """What replaying an inbox entry would do."""
    delivery = webhooks.parse(entry.body)  # it was read before it was remembered
    job = job_of(tx, entry.account_id, delivery)
    if delivery.observation is None or job is None:
        return Foreseen(fate_of(delivery, job))
    return _of(context, tx, job, said_again(delivery, entry.id))


def of_rejection(context: Context, tx: Transaction, rejection: Rejection) -> Foreseen:
    """What replaying a rejected delivery would do, if it is believed. Raises BadDelivery."""
    delivery = webhooks.parse(rejection.body)
    job = job_of(tx, rejection.account_id, delivery)
    if delivery.observation is None or job is None:
        return Foreseen(fate_of(delivery, job))
    known = inbox.by_event(tx, rejection.account_id, delivery.event_key[:300])
    return _of(context, tx, job, replace(said_again(delivery, None), repeated=known is not None))


def of_decision(context: Context, tx: Transaction, job: Job, decision: Observation) -> Foreseen:
    """What a person's decision about a job would do."""
    return _of(context, tx, job, decision)


def _of(context: Context, tx: Transaction, job: Job, seen: Observation) -> Foreseen:
    effect = effects.effect_of(job, seen, now=tx.now, jitter=0.0, policy=context.policy)
    return Foreseen(
        Fate.APPLIED,
        job,
        effect.step.verdict,
        effect.step.to,
        tuple(_changes(job, effect)),
        tuple(_new(tx, job, effect)),
        len(effect.outputs),
        effect.keep,
    )


def _changes(job: Job, effect: Effect) -> Iterator[Change]:
    for name, after in effect.changes.items():
        before = getattr(job, name)
        if name not in _INNER and before != after:
            yield Change(name, before, after)


def _new(tx: Transaction, job: Job, effect: Effect) -> Iterator[Owed]:
    """What is not owed already, or was withdrawn."""
    there = {one.key for one in hand_offs.of_job(tx, job.id) if one.state is not HandOffState.WITHDRAWN}
    yield from (one for one in effect.owed if one.key not in there)
