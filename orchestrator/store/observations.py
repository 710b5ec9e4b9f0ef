"""Observations: append-only, one sequence per job, numbered under the job's guarded update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, tuple_

from orchestrator.core.evidence import refusals
from orchestrator.core.job import Job, Observation, Source
from orchestrator.core.lifecycle import Seen, State, Step, Verdict
from orchestrator.store.database import Transaction
from orchestrator.store.given import add_rows
from orchestrator.store.schema import jobs, observations


@dataclass(frozen=True, slots=True)
class Recorded:
    """An observation as it was kept, with what it meant then."""

    job_id: str
    seq: int
    at: float
    source: Source
    seen: Seen
    verdict: Verdict
    from_state: State
    to_state: State
    status: str | None
    progress: int | None
    failure: dict[str, Any] | None
    request_id: str | None
    note: str | None
    inbox_id: int | None
    raw: str | None


def append_all(tx: Transaction, learned: Sequence[tuple[Job, Observation, Step]]) -> None:
    """Keep what was learned; each job is the row as it was before the guarded update that took its number."""
    add_rows(tx, observations, [_row(tx, *one) for one in learned])


def _row(tx: Transaction, job: Job, observation: Observation, step: Step) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "seq": job.next_seq,
        "at": tx.now,
        "source": observation.source,
        "seen": observation.seen,
        "verdict": step.verdict,
        "from_state": job.state,
        "to_state": step.to,
        "status": observation.status,
        "progress": observation.progress,
        "failure": observation.failure and observation.failure.as_json(),
        "request_id": observation.request_id,
        "note": observation.note or _mismatch(job, observation) or _of_webhook(observation),
        "inbox_id": observation.inbox_id,
        "raw": observation.raw,
    }


def _mismatch(job: Job, observation: Observation) -> str | None:
    other = observation.gateway_id and job.gateway_id and observation.gateway_id != job.gateway_id
    if other and not job.unconfirmed:
        return f"about another job of the gateway's, {observation.gateway_id}: both may be billed"
    return None


def _of_webhook(observation: Observation) -> str | None:
    """What the gateway says of its own webhook, where that did not reach us."""
    told = observation.hook
    return refusals(told) if told and told.tries and not told.delivered else None


def of_job(tx: Transaction, job_id: str) -> list[Recorded]:
    """A job's timeline, oldest first."""
    query = select(observations).where(observations.c.job_id == job_id).order_by(observations.c.seq)
    return [_recorded(dict(row._mapping)) for row in tx.execute(query)]


def prune(tx: Transaction, *, before: float, limit: int = 5_000) -> int:
    """Forget entries of jobs that settled before a moment; the jobs themselves stay. Returns how many."""
    old = (
        select(observations.c.job_id, observations.c.seq)
        .join(jobs, jobs.c.id == observations.c.job_id)
        .where(observations.c.at < before, jobs.c.settled_at < before)
        .limit(limit)
    )
    these = tuple_(observations.c.job_id, observations.c.seq).in_(old)
    return tx.execute(delete(observations).where(these)).rowcount


def _recorded(row: dict[str, Any]) -> Recorded:
    enums = {"source": Source, "seen": Seen, "verdict": Verdict, "from_state": State, "to_state": State}
    return Recorded(**row | {name: enum(row[name]) for name, enum in enums.items()})
