"""One job as a person who looks into it wants it: all that was learned and done, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.core.blame import Finding
from orchestrator.core.events import Told
from orchestrator.core.job import Job, Source
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.engine import blaming, standing
from orchestrator.engine.choices import Act, Choice, choices
from orchestrator.engine.context import Context
from orchestrator.engine.hook_health import Standing as HookStanding
from orchestrator.engine.next_look import NextLook, hooks_of, next_look
from orchestrator.engine.race import Race, race
from orchestrator.engine.standing import Standing
from orchestrator.store import attempts, events, inbox, job_lists, observations
from orchestrator.store.attempts import Attempt
from orchestrator.store.database import Transaction
from orchestrator.store.events import Entry as EventEntry
from orchestrator.store.inbox import Entry
from orchestrator.store.observations import Recorded

MOST_EVENTS = 1_000
# Observations and attempts tell the rest themselves.
_TOLD = frozenset({Told.ACCEPTED, Told.OUTPUT, Told.OUTPUT_LOST, Told.CANCEL, Told.NEEDS_PERSON})


class Came(StrEnum):
    """What kind of thing a line of the timeline tells of."""

    LEARNED = "learned"  # an observation: something was seen of the job
    TRIED = "tried"  # an attempt at a hand-off
    HAPPENED = "happened"  # something that is told to whoever follows the job
    REPEATED = "repeated"  # the gateway sent a webhook again that was known already
    LOOKED = "looked"  # the last look, where it saw nothing new


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline: exactly what its kind says is there."""

    at: float
    came: Came
    learned: Recorded | None = None
    tried: Attempt | None = None
    happened: EventEntry | None = None
    repeated: Entry | None = None


@dataclass(frozen=True, slots=True)
class Dossier:
    """One job, with all that there is about it. `retries` are the ids of the jobs that ask for it again.

    `quiet_looks` saw nothing new: they were counted, and left no line in the timeline.
    """

    standing: Standing
    timeline: tuple[Line, ...]
    race: Race | None
    next_look: NextLook | None
    hooks: HookStanding | None
    findings: tuple[Finding, ...]
    quiet_looks: int
    retries: tuple[str, ...]
    choices: dict[Act, Choice]

    @property
    def job(self) -> Job:
        """Its row."""
        return self.standing.job

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.job.state not in SETTLED


def of_job(context: Context, job_id: str, *, tenant_id: str | None) -> Dossier:
    """All about one job of the tenant's, or of any. Raises NotFound, for another's as for none."""
    with context.store.read() as tx:
        whose = job_lists.tenant_of(tx, job_id) if tenant_id is None else tenant_id
        found = standing.of_tenant(tx, whose, job_id)
        learned = observations.of_job(tx, job_id)
        return Dossier(
            standing=found,
            timeline=tuple(_timeline(tx, found.job, learned)),
            race=race(found.job, learned),
            next_look=next_look(tx, context, found.job),
            hooks=hooks_of(tx, found.job),
            findings=tuple(blaming.of_job(tx, found.job)),
            quiet_looks=max(found.job.looks - sum(one.source is Source.POLL for one in learned), 0),
            retries=tuple(job_lists.retries_of(tx, job_id)),
            choices=choices(found),
        )


def _timeline(tx: Transaction, job: Job, learned: Sequence[Recorded]) -> list[Line]:
    told = events.of_job(tx, job.id, limit=MOST_EVENTS)
    received = inbox.received_for(tx, job)
    lines = [
        *(Line(one.at, Came.LEARNED, learned=one) for one in learned),
        *(Line(one.ended_at, Came.TRIED, tried=one) for one in attempts.of_job(tx, job.id)),
        *(Line(one.at, Came.HAPPENED, happened=one) for one in told if one.type in _TOLD),
        *(Line(one.last_received_at, Came.REPEATED, repeated=one) for one in received if one.deliveries > 1),
        *_last_look(job, learned),
    ]
    return sorted(lines, key=lambda one: one.at)  # of what came at once, what was learned goes first


def _last_look(job: Job, learned: Sequence[Recorded]) -> Iterator[Line]:
    """Looks that saw nothing new are only counted: of the last one it is known when it was."""
    if job.last_look_at is not None and job.state is State.WAITING:
        seen = any(abs(one.at - job.last_look_at) < 0.001 for one in learned)
        if not seen:
            yield Line(job.last_look_at, Came.LOOKED)
