"""One attempt at one hand-off: at least once, under a name that makes it once in effect."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from orchestrator.core import cadence
from orchestrator.core.blame import Fault, Met
from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job, Output
from orchestrator.core.tracing import Part
from orchestrator.engine import archiving, counting, destinations, spans, telling
from orchestrator.engine.context import Context
from orchestrator.engine.delivering import deliver
from orchestrator.engine.destinations import Claim
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.lease import LEASE
from orchestrator.errors import (
    NEVER,
    ContentDamaged,
    ContentDuplicate,
    ContentError,
    ContentMissing,
    DestinationError,
    LeaseLost,
    OrchestratorError,
    Stopping,
    StoreError,
)
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.sinks import Delivered
from orchestrator.store import attempts, faults, hand_offs, jobs, outputs
from orchestrator.store.attempts import Result
from orchestrator.store.database import Transaction
from orchestrator.telemetry import Event, log

LONGEST_PAUSE = 10_800.0
LONGEST_PREVIEW = 500  # characters
LONGEST_SENTENCE = 2_000  # characters; sinks are written by anybody
_ENDS = {Result.DEAD: HandOffState.DEAD, Result.MISSING: HandOffState.MISSING}


@dataclass(frozen=True, slots=True)
class Arrived:
    """An attempt that brought its hand-off there."""

    claim: Claim
    claimed: HandOff
    delivered: Delivered


def hand_off(context: Context) -> list[FollowUp] | None:
    """Make an attempt at one hand-off that is due; None when none is."""
    with destinations.claiming(context) as claim:
        with context.store.write(durable=False) as tx:
            claimed = claim.take(tx, lease=LEASE)
            if claimed is None:
                return None
            attempts.note_if_lost(tx, claimed)
            job = jobs.get(tx, claimed.job_id)
            siblings = outputs.of_job(tx, claimed.job_id)
        assert job is not None  # a foreign key holds it
        with context.held.working([claimed]):
            return _hand_off(context, claim, claimed, job, siblings)


def hand_off_claimed(context: Context, claimed: HandOff, job: Job, siblings: list[Output]) -> list[FollowUp]:
    """Make the first attempt at one that was claimed when it became owed, about the job as it was then."""
    with destinations.claiming(context) as claim, context.held.working([claimed]):
        if not claim.enter(claimed):
            return _given_back(context, claimed)
        return _hand_off(context, claim, claimed, job, siblings)


def _hand_off(
    context: Context, claim: Claim, claimed: HandOff, job: Job, siblings: list[Output]
) -> list[FollowUp]:
    reach(FaultPoint.HAND_OFF_CLAIMED)
    if claimed.attempts > context.settings.hand_off_attempts:
        return _failed(context, claimed, _spent(claimed))
    try:
        delivered, facts = _attempt(context, claimed, job, siblings)
        reach(FaultPoint.HAND_OFF_PUBLISHED)
        follow_ups = _done(context, claim, claimed, delivered, facts)
    except Stopping:
        return _given_back(context, claimed)
    except LeaseLost:
        return []  # to an attempt that goes on
    except StoreError:
        raise
    except ContentDamaged as error:
        return _damaged(context, claimed, error)
    except OrchestratorError as error:
        return _failed(context, claimed, error)
    except Exception as error:  # noqa: BLE001 - a bug of ours must use up attempts too, not repeat for ever
        log(Event.HAND_OFF_BROKE, job=job.id, level=logging.ERROR, error=f"{type(error).__name__}")
        broke = DestinationError(
            f"the attempt broke ({type(error).__name__})", hint="this is a bug: report it"
        )
        return _failed(context, claimed, broke)
    reach(FaultPoint.HAND_OFF_COMMITTED)
    return follow_ups


def _spent(claimed: HandOff) -> OrchestratorError:
    """Whoever made the last of all attempts did not live to give it up; one more may kill once more."""
    kind = ContentError if claimed.kind is HandOffKind.ARCHIVE else DestinationError
    hint = "see why processes die at it, in the system's log (out of memory?); then replay it"
    return kind("no attempt is left, and the last one never ended", hint=hint, retry=NEVER)


def _attempt(
    context: Context, claimed: HandOff, job: Job, siblings: list[Output]
) -> tuple[Delivered, dict[str, Any]]:
    if claimed.kind is HandOffKind.ARCHIVE:
        return archiving.archive_output(context, claimed, job, siblings)
    return deliver(context, claimed, job, siblings), {}


def _done(
    context: Context, claim: Claim, claimed: HandOff, delivered: Delivered, facts: dict[str, Any]
) -> list[FollowUp]:
    done = Arrived(claim, claimed, delivered)
    if claimed.kind is not HandOffKind.ARCHIVE:
        return context.hand_offs_done.do(done, partial(end_all, context))
    with context.store.write() as tx:  # what follows can fail, and would undo what others share with it
        held = _held(tx, [claimed.job_id])
        if not _end(context, tx, held, [done]):
            return []
        return archiving.kept(tx, held[claimed.job_id], claimed, facts)


def end_all(context: Context, done: Sequence[Arrived]) -> list[list[FollowUp] | None]:
    """Keep that they are there; None for one whose job somebody holds, where there are several."""
    with context.store.write() as tx:
        held = _held(tx, [one.claimed.job_id for one in done])
        _end(context, tx, held, done)
    return [[] if len(done) == 1 or one.claimed.job_id in held else None for one in done]


def _held(tx: Transaction, job_ids: Sequence[str]) -> dict[str, Job]:
    """Those of these jobs that can be held; a single one is waited for."""
    if len(job_ids) > 1:
        return jobs.hold_free(tx, job_ids)
    job = jobs.lock_if_there(tx, job_ids[0])
    return {job.id: job} if job else {}


def _end(context: Context, tx: Transaction, held: Mapping[str, Job], done: Sequence[Arrived]) -> set[int]:
    """End the attempts whose job is held. Returns those that no newer one has, which found what is there."""
    ended = [(one.claimed, _as_done(tx, one.delivered)) for one in done if one.claimed.job_id in held]
    ours = hand_offs.finish_all_if_ours(tx, ended)
    there = [(held[one.claimed.job_id], one) for one in done if one.claimed.id in ours]
    attempts.add_done(tx, [(one.claimed, _began(one.claimed), one.delivered.status) for _, one in there])
    for job, one in there:
        _say_done(context, tx, job, one)
    telling.ended_all(tx, [(job, replace(one.claimed, state=HandOffState.DONE)) for job, one in there])
    return ours


def _as_done(tx: Transaction, delivered: Delivered) -> dict[str, Any]:
    return {
        "state": HandOffState.DONE,
        "due_at": None,
        "done_at": tx.now,
        "last_error": None,
        "last_status": delivered.status,
        "last_preview": None,
        "location": delivered.location,
        "bytes": delivered.bytes,
        "sha256": delivered.sha256,
    }


def _say_done(context: Context, tx: Transaction, job: Job, one: Arrived) -> None:
    claimed, delivered = one.claimed, one.delivered
    named = {"destination": claimed.destination, "key": claimed.key} | spans.traced(context, job)
    tx.after_commit.append(partial(log, Event.HANDED_OFF, job=claimed.job_id, **named))
    _told(context, tx, job, claimed, Result.DONE, status=delivered.status, bytes=delivered.bytes)
    one.claim.worked(tx, claimed)


def _given_back(context: Context, claimed: HandOff) -> list[FollowUp]:
    """Another process makes this attempt; that it was begun here counts for nothing."""
    with context.store.write() as tx:
        hand_offs.finish_if_ours(tx, claimed, {"attempts": claimed.attempts - 1})
    return [FollowUp(Task.HAND_OFF)]


def _damaged(context: Context, claimed: HandOff, error: ContentDamaged) -> list[FollowUp]:
    try:
        return _failed(context, claimed, error)
    except ContentError as worse:  # the archive can do nothing about it now
        return _failed(context, claimed, worse)


def _failed(context: Context, claimed: HandOff, error: OrchestratorError) -> list[FollowUp]:
    pause = _pause(context, claimed, error)
    with context.store.write() as tx:
        job = jobs.lock_if_there(tx, claimed.job_id)
        result = _result(context, tx, claimed, error)
        waits = result is Result.FAILED and isinstance(error, ContentDamaged)
        due_at = None if result is not Result.FAILED or waits else tx.now + pause
        answer = _answer(error)
        changes = {
            "state": _ENDS.get(result, HandOffState.OWED),
            "due_at": due_at,
            "last_error": _sentence(error),
            "last_status": answer["status"],
            "last_preview": answer["preview"],
        }
        if job is None or not hand_offs.finish_if_ours(tx, claimed, changes):
            return []
        attempts.add(tx, claimed, result, began_at=_began(claimed), error=_sentence(error), **answer)
        destinations.failed(tx, claimed, error)
        if waits or result is not Result.FAILED:
            faults.note(tx, job, _met(claimed, error))
        _announce(tx, claimed, error, ended=result is not Result.FAILED, **spans.traced(context, job))
        _told(context, tx, job, claimed, result, failed=error.message, status=answer["status"])
        if waits:
            archiving.fetch_again(context, tx, job, claimed)
            return [FollowUp(Task.HAND_OFF)]
        if result is Result.FAILED:
            return [FollowUp(Task.HAND_OFF, pause)]
        if claimed.kind is HandOffKind.ARCHIVE:
            return archiving.given_up(tx, job, claimed, error, gone=result is Result.MISSING)
        telling.ended(tx, job, [replace(claimed, state=_ENDS[result], last_error=error.message)])
        return []


def _result(context: Context, tx: Transaction, claimed: HandOff, error: OrchestratorError) -> Result:
    patience = context.settings.content_patience_seconds
    if isinstance(error, ContentDuplicate):
        return Result.MISSING
    if isinstance(error, ContentMissing) and tx.now >= claimed.created_at + patience:
        return Result.MISSING
    spent = claimed.attempts >= context.settings.hand_off_attempts
    return Result.DEAD if spent or not error.retry.again else Result.FAILED


def _met(claimed: HandOff, error: OrchestratorError) -> Met:
    """Whose fault it is: that of what was to be brought, or of where to."""
    if isinstance(error, ContentError):
        return Met(Fault.OUTPUT_MISSING, f"output {claimed.output_index}: {_sentence(error)}")
    tries = "1 attempt" if claimed.attempts == 1 else f"{claimed.attempts} attempts"
    return Met(
        Fault.HAND_OFF_FAILED, f"{claimed.key} to {claimed.destination}, after {tries}: {_sentence(error)}"
    )


def _answer(error: OrchestratorError) -> dict[str, Any]:
    """What the destination answered, if it did."""
    if not isinstance(error, DestinationError):
        return {"status": None, "preview": None}
    return {"status": error.status, "preview": error.preview and error.preview[:LONGEST_PREVIEW]}


def _pause(context: Context, claimed: HandOff, error: OrchestratorError) -> float:
    first = context.settings.hand_off_first_retry_seconds
    jitter = context.random()
    ours = cadence.retry_in(claimed.attempts, first=first, ceiling=LONGEST_PAUSE, jitter=jitter)
    return max(ours, error.retry.after)


def _began(claimed: HandOff) -> float:
    assert claimed.lease_until is not None  # it was claimed
    return claimed.lease_until - LEASE


def _sentence(error: OrchestratorError) -> str:
    return (f"{error.message} ({error.hint})" if error.hint else error.message)[:LONGEST_SENTENCE]


def _told(
    context: Context,
    tx: Transaction,
    job: Job,
    claimed: HandOff,
    result: Result,
    *,
    failed: str | None = None,
    **facts: int | None,
) -> None:
    """Count the attempt and tell of it, once that it ended is committed."""
    began_at, now = _began(claimed), tx.now
    tx.after_commit.append(partial(counting.handed_off, claimed, result, began_at, job, now))
    what = {"kind": claimed.kind, "destination": claimed.destination, "attempt": claimed.attempts}
    name = spans.of_hand_off(claimed)
    told = partial(spans.tell, context, job, Part.HAND_OFF, name, began_at, now, failed=failed, called=True)
    tx.after_commit.append(partial(told, result=result, **what, **facts))


def _announce(
    tx: Transaction, claimed: HandOff, error: OrchestratorError, *, ended: bool, **more: str
) -> None:
    event = Event.HAND_OFF_DEAD if ended else Event.HAND_OFF_FAILED
    facts: dict[str, Any] = more | {
        "destination": claimed.destination,
        "attempt": claimed.attempts,
        "error": error.message,
    }
    tx.after_commit.append(lambda: log(event, job=claimed.job_id, level=logging.WARNING, **facts))
