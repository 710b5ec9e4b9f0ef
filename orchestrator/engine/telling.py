"""What is told of a job to whoever follows it, in the transaction that makes it true. The job is held."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.effects import Effect
from orchestrator.core.events import Lost, Told
from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job
from orchestrator.core.lifecycle import SETTLED, State, Verdict
from orchestrator.store import events
from orchestrator.store.database import Transaction

LONGEST_ERROR = 500  # characters


def learned(tx: Transaction, effects: Iterable[tuple[Job, Effect]]) -> None:
    """Tell what effects changed about jobs, each of which is given as it was before."""
    events.append_all(tx, [(job, *news) for job, effect in effects for news in _news(job, effect)])


def _news(job: Job, effect: Effect) -> Iterator[tuple[Told, Mapping[str, Any]]]:
    moved, to = effect.step.verdict is Verdict.MOVED, effect.step.to
    if moved or _has_reason_now(job, effect):
        yield Told.STATE, _standing(to, effect.changes.get("failure", job.failure))
    progress = effect.changes.get("progress", job.progress)
    if to is State.WAITING and progress > job.progress:
        yield Told.PROGRESS, {"progress": progress}


def got_further(
    tx: Transaction, looked_at: Iterable[Job], looks: Sequence[Mapping[str, Any]], kept: Collection[str]
) -> None:
    """Tell the progress that looks brought which changed nothing else, of the jobs whose look was kept."""
    progress = {one["id"]: one["progress"] for one in looks if one["id"] in kept}
    grown = [job for job in looked_at if progress.get(job.id, 0) > job.progress]
    events.append_all(tx, [(job, Told.PROGRESS, {"progress": progress[job.id]}) for job in grown])


def ended(tx: Transaction, job: Job, owed: Sequence[HandOff]) -> None:
    """Tell of hand-offs that ended. An output's way to the archive is nobody's: the output is told of."""
    ended_all(tx, [(job, one) for one in owed])


def ended_all(tx: Transaction, ended: Sequence[tuple[Job, HandOff]]) -> None:
    """The same of several jobs."""
    events.append_all(tx, [(job, *_end(one)) for job, one in ended if _is_told(one)])


def lost(tx: Transaction, job: Job, index: int, why: Lost) -> None:
    """Tell that an output cannot be read."""
    events.append(tx, job, Told.OUTPUT_LOST, {"index": index, "reason": why})


def cancelled(tx: Transaction, job: Job, withdrawn: Sequence[HandOff]) -> None:
    """Tell that its caller wants the job no more, and what is not handed off because of that."""
    if job.cancel_requested_at is None:
        events.append(tx, job, Told.CANCEL, {})
    ended(tx, job, withdrawn)


def _has_reason_now(job: Job, effect: Effect) -> bool:
    """Whether a job that ended badly has another reason than it had; a webhook carries none."""
    failure = effect.changes.get("failure", job.failure)
    return job.state in SETTLED and effect.step.verdict is not Verdict.MOVED and failure != job.failure


def _standing(state: State, failure: Mapping[str, Any] | None) -> dict[str, Any]:
    bad = state in SETTLED and state is not State.COMPLETED
    if not bad or failure is None:
        return {"state": state}
    error = {"message": str(failure.get("message", ""))[:LONGEST_ERROR], "code": failure.get("code")}
    return {"state": state, "error": error}


def _is_told(one: HandOff) -> bool:
    return one.kind is not HandOffKind.ARCHIVE or one.state is HandOffState.WITHDRAWN


def _end(one: HandOff) -> tuple[Told, dict[str, Any]]:
    if one.kind is HandOffKind.ARCHIVE:
        return Told.OUTPUT_LOST, {"index": one.output_index, "reason": Lost.CANCELLED}
    told: dict[str, Any] = {"destination": one.destination, "state": one.state, "kind": one.kind}
    told |= {"index": one.output_index} if one.kind is HandOffKind.OUTPUT else {"outcome": one.outcome}
    if one.state in (HandOffState.DEAD, HandOffState.MISSING):
        told["error"] = (one.last_error or "")[:LONGEST_ERROR] or None
    return Told.HAND_OFF, told
