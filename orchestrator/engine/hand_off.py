"""Bringing one thing to its destination: at least once, under a name that makes it once in effect."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from orchestrator.core import cadence
from orchestrator.core.job import HandOff, HandOffKind, HandOffState, Job, Output
from orchestrator.engine import destinations
from orchestrator.engine.context import Context
from orchestrator.engine.fetching import LEASE, Fetched, fetch
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.outcome import OUTPUT_MISSING, OUTPUT_UNAVAILABLE, document
from orchestrator.errors import (
    ContentDuplicate,
    ContentError,
    ContentMissing,
    DestinationError,
    OrchestratorError,
    Stopping,
)
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.sinks import Delivered, Parcel, Sink
from orchestrator.store import hand_offs, jobs, observations, outputs
from orchestrator.store.database import Transaction
from orchestrator.telemetry import Event, log

LONGEST_PAUSE = 10_800.0

_SUFFIXES = {
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
}


def hand_off(context: Context) -> list[FollowUp] | None:
    """Do one hand-off that is due; None when none is."""
    with destinations.claiming(context) as claim:
        with context.store.write(durable=False) as tx:
            claimed = claim.take(tx, lease=LEASE)
            if claimed is None:
                return None
            job = jobs.get(tx, claimed.job_id)
            siblings = outputs.of_job(tx, claimed.job_id)
        assert job is not None  # a foreign key holds it
        with context.held.working([claimed]):
            return _hand_off(context, claimed, job, siblings)


def _hand_off(context: Context, claimed: HandOff, job: Job, siblings: list[Output]) -> list[FollowUp]:
    reach(FaultPoint.HAND_OFF_CLAIMED)
    try:
        delivered, facts = _deliver(context, claimed, job, siblings)
    except Stopping:
        return _given_back(context, claimed)
    except OrchestratorError as error:
        return _failed(context, claimed, error)
    except Exception as error:  # noqa: BLE001 - a bug of ours must use up attempts too, not repeat for ever
        log(Event.HAND_OFF_BROKE, job=job.id, level=logging.ERROR, error=f"{type(error).__name__}")
        broke = DestinationError(
            f"the attempt broke ({type(error).__name__})", hint="this is a bug: report it"
        )
        return _failed(context, claimed, broke)
    reach(FaultPoint.HAND_OFF_PUBLISHED)
    follow_ups = _done(context, claimed, delivered, facts)
    reach(FaultPoint.HAND_OFF_COMMITTED)
    return follow_ups


def _deliver(
    context: Context, claimed: HandOff, job: Job, siblings: list[Output]
) -> tuple[Delivered, dict[str, Any]]:
    sink = context.sinks.get(claimed.destination)
    if sink is None:
        raise DestinationError(
            f"there is no destination {claimed.destination!r} any more",
            hint="configure it again, or replay the hand-off once it exists",
        )
    if claimed.kind is HandOffKind.OUTCOME:
        return _deliver_outcome(context, sink, claimed, job), {}
    output = next(one for one in siblings if one.index == claimed.output_index)
    stem = f"{job.id}-{output.index}"
    there = _from_earlier_attempt(sink, claimed, stem)
    if there is not None:
        return there, {"bytes": there.bytes, "sha256": there.sha256}
    earlier = {one.sha256 for one in siblings if one.index < output.index and one.sha256}
    fetched = fetch(
        context, claimed, job, output, lambda mime: sink.stage(Parcel(_name(stem, mime)), claimed.fence)
    )
    return _publish(fetched, earlier, output)


def _publish(fetched: Fetched, earlier: set[str], output: Output) -> tuple[Delivered, dict[str, Any]]:
    if fetched.staging.sha256() in earlier:
        fetched.staging.discard()
        # Asked for an index that does not exist, several providers send output 0 (contract 1.4).
        raise ContentDuplicate(f"output {output.index} is byte for byte an earlier one: it does not exist")
    reach(FaultPoint.HAND_OFF_STAGED)
    delivered = fetched.staging.publish()
    facts = {"bytes": delivered.bytes, "sha256": delivered.sha256, "mime_type": fetched.mime_type}
    return delivered, facts


def _from_earlier_attempt(sink: Sink, claimed: HandOff, stem: str) -> Delivered | None:
    """What an attempt published that did not live to say so."""
    if claimed.fence == 1:
        return None
    names = (f"{stem}.{suffix}" for suffix in (*_SUFFIXES.values(), "bin"))
    found: Iterator[Delivered | None] = (sink.find(Parcel(name)) for name in names)
    return next((one for one in found if one is not None), None)


def _deliver_outcome(context: Context, sink: Sink, claimed: HandOff, job: Job) -> Delivered:
    name = f"{job.id}.{claimed.outcome}.json"
    there = sink.find(Parcel(name)) if claimed.fence > 1 else None
    if there is not None:
        return there
    with context.store.read() as tx:
        timeline = observations.of_job(tx, job.id)
        others = hand_offs.of_job(tx, job.id)
    body = json.dumps(document(job, claimed, others, timeline), indent=2, ensure_ascii=False)
    staging = sink.stage(Parcel(name), claimed.fence)
    staging.write(body.encode())
    reach(FaultPoint.HAND_OFF_STAGED)
    return staging.publish()


def _name(stem: str, mime_type: str) -> str:
    return f"{stem}.{_SUFFIXES.get(mime_type, 'bin')}"


def _done(context: Context, claimed: HandOff, delivered: Delivered, facts: dict[str, Any]) -> list[FollowUp]:
    with context.store.write() as tx:
        changes = {
            "state": HandOffState.DONE,
            "due_at": None,
            "done_at": tx.now,
            "last_error": None,
            "location": delivered.location,
            "bytes": delivered.bytes,
            "sha256": delivered.sha256,
        }
        if not hand_offs.finish_if_ours(tx, claimed, changes):
            return []  # a newer attempt has it, and found what we published
        if claimed.output_index is not None:
            outputs.note(tx, claimed.job_id, claimed.output_index, facts | {"missing": False})
        tx.after_commit.append(
            lambda: log(
                Event.HANDED_OFF, job=claimed.job_id, destination=claimed.destination, key=claimed.key
            )
        )
        destinations.worked(tx, claimed)
        return _unblocked(tx, claimed)


def _given_back(context: Context, claimed: HandOff) -> list[FollowUp]:
    """Another process makes this attempt; that it was begun here counts for nothing."""
    with context.store.write() as tx:
        hand_offs.finish_if_ours(tx, claimed, {"attempts": claimed.attempts - 1})
    return [FollowUp(Task.HAND_OFF)]


def _failed(context: Context, claimed: HandOff, error: OrchestratorError) -> list[FollowUp]:
    dead = claimed.attempts >= context.settings.hand_off_attempts or not error.retry.again
    first = context.settings.hand_off_first_retry_seconds
    pause = max(
        cadence.retry_in(claimed.attempts, first=first, ceiling=LONGEST_PAUSE, jitter=context.random()),
        error.retry.after,
    )
    with context.store.write() as tx:
        gone = isinstance(error, ContentDuplicate) or (
            isinstance(error, ContentMissing)
            and tx.now >= claimed.created_at + context.settings.content_patience_seconds
        )
        changes: dict[str, Any] = {"last_error": _sentence(error), "due_at": None}
        if gone:
            changes["state"] = HandOffState.MISSING
        elif dead:
            changes["state"] = HandOffState.DEAD
        else:
            changes["due_at"] = tx.now + pause
        if not hand_offs.finish_if_ours(tx, claimed, changes):
            return []
        destinations.failed(tx, claimed, error)
        _announce(tx, claimed, error, ended=gone or dead)
        if not (gone or dead):
            return [FollowUp(Task.HAND_OFF, pause)]
        return _tell(tx, claimed, error, gone=gone) + _unblocked(tx, claimed)


def _tell(tx: Transaction, claimed: HandOff, error: OrchestratorError, *, gone: bool) -> list[FollowUp]:
    """A completed job whose output cannot be had: an outcome of its own, handed off as such."""
    if claimed.output_index is None or not isinstance(error, ContentError):
        return []  # the destination's fault is no news to hand to it
    if gone:
        outputs.note(tx, claimed.job_id, claimed.output_index, {"missing": True})
    outcome = f"{OUTPUT_MISSING if gone else OUTPUT_UNAVAILABLE}-{claimed.output_index}"
    return [FollowUp(Task.HAND_OFF)] * hand_offs.owe_outcome(tx, claimed.job_id, outcome, claimed.destination)


def _unblocked(tx: Transaction, claimed: HandOff) -> list[FollowUp]:
    """Further outputs of the job wait for this one, to tell a copy from an output."""
    if claimed.output_index is None:
        return []
    waiting = [
        other
        for other in hand_offs.of_job(tx, claimed.job_id)
        if other.state is HandOffState.OWED and other.destination == claimed.destination
    ]
    return [FollowUp(Task.HAND_OFF)] if waiting else []


def _sentence(error: OrchestratorError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _announce(tx: Transaction, claimed: HandOff, error: OrchestratorError, *, ended: bool) -> None:
    event = Event.HAND_OFF_DEAD if ended else Event.HAND_OFF_FAILED
    facts = {"destination": claimed.destination, "attempt": claimed.attempts, "error": error.message}
    tx.after_commit.append(lambda: log(event, job=claimed.job_id, level=logging.WARNING, **facts))
