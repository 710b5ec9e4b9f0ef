"""Bringing an output from the gateway into the archive, once; everything else is handed on from there."""

from __future__ import annotations

from typing import Any

from orchestrator import metrics
from orchestrator.core.events import Lost, Told
from orchestrator.core.job import HandOff, Job, Output
from orchestrator.core.owed import owed_archive
from orchestrator.core.routes import Outcome
from orchestrator.engine import telling
from orchestrator.engine.context import Context
from orchestrator.engine.fetching import fetch
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.engine.lease import Lease
from orchestrator.errors import (
    ContentDamaged,
    ContentDuplicate,
    ContentError,
    DestinationError,
    OrchestratorError,
)
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.sinks import Delivered
from orchestrator.store import archived, events, hand_offs, outputs
from orchestrator.store.database import Transaction


def archive_output(
    context: Context, claimed: HandOff, job: Job, siblings: list[Output]
) -> tuple[Delivered, dict[str, Any]]:
    """Fetch an output into the archive; what became of it, and what is now known of the output."""
    lease = Lease(context, claimed)
    output = next(one for one in siblings if one.index == claimed.output_index)
    name = f"{job.id}-{output.index}"
    fetched = fetch(context, lease, job, output, lambda: context.archive.begin(name, claimed.fence))
    try:
        sha256 = fetched.keeping.sha256()
        if sha256 in {one.sha256 for one in siblings if one.index < output.index}:
            # Asked for an index that does not exist, several providers send output 0 (contract 1.4).
            raise ContentDuplicate(f"output {output.index} is byte for byte an earlier one: there is none")
        reach(FaultPoint.ARCHIVING_STAGED)
        _make_room(context, lease, sha256)
        with context.store.write(durable=False) as tx:
            archived.want(tx, sha256, fetched.bytes)
        lease.renew()
        kept = fetched.keeping.keep()
    finally:
        fetched.keeping.discard()
    facts = {"bytes": kept.bytes, "sha256": kept.sha256, "mime_type": fetched.mime_type}
    return Delivered(f"archive:{kept.sha256}", kept.bytes, kept.sha256), facts


def _make_room(context: Context, lease: Lease, sha256: str) -> None:
    """Remove what is there under this hash if it is damaged: else it would pass for what is brought."""
    if context.archive.has(sha256) is None:
        return
    try:
        for _ in context.archive.read(sha256):
            lease.keep()  # it may be as large as what was fetched
    except ContentDamaged:
        with context.store.write() as tx:
            lease.hold(tx)  # else it might be a sound copy by now, which a newer attempt has kept
            archived.forget(tx, sha256)
            context.archive.remove(sha256)


def kept(tx: Transaction, job: Job, claimed: HandOff, facts: dict[str, Any]) -> list[FollowUp]:
    """The archive has an output: what waited for it goes on its way. The job is held.

    Raises DestinationError, before anything is written, where it was purged in that very moment.
    """
    assert claimed.output_index is not None
    if not archived.confirm(tx, facts["sha256"]):
        raise DestinationError("the content was purged while it was kept", hint="it is fetched again")
    known = {"missing": False, "archived_at": tx.now, "purged_at": None}
    before = _output(tx, claimed)
    outputs.note(tx, claimed.job_id, claimed.output_index, facts | known)
    hand_offs.release(tx, claimed.job_id, claimed.output_index)
    events.append(tx, job, Told.OUTPUT, {"index": claimed.output_index, **facts})
    tx.after_commit.append(lambda: metrics.ARCHIVED.inc(facts["bytes"]))
    return _go_on(tx, job, news=before.sha256 is None)  # else it was lost meanwhile, and is back


def given_up(
    tx: Transaction, job: Job, claimed: HandOff, error: OrchestratorError, *, gone: bool
) -> list[FollowUp]:
    """A completed job whose output cannot be had: an outcome of its own, handed off as such."""
    assert claimed.output_index is not None
    if _output(tx, claimed).archived_at is not None:
        return _go_on(tx, job)  # a person had it fetched anew: what the archive has stays
    unknown = {"missing": gone, "bytes": None, "sha256": None}  # as if it had never been there
    outputs.note(tx, claimed.job_id, claimed.output_index, unknown)
    reason = Lost.MISSING if gone else Lost.UNAVAILABLE
    telling.lost(tx, job, claimed.output_index, reason)
    telling.ended(tx, job, hand_offs.give_up(tx, job.id, claimed.output_index, error.message))
    if isinstance(error, ContentError):  # the archive's own fault is for whoever runs it to mend
        outcome = Outcome.OUTPUT_MISSING if gone else Outcome.OUTPUT_UNAVAILABLE
        hand_offs.owe_outcome(tx, job, f"{outcome}-{claimed.output_index}")
    return _go_on(tx, job)


def fetch_again(context: Context, tx: Transaction, job: Job, claimed: HandOff) -> None:
    """The archive lost an output, or has it damaged: whoever wants it waits until it is there again.

    Raises ContentError where the archive cannot remove what is damaged.
    """
    assert claimed.output_index is not None
    there = _output(tx, claimed)
    if there.sha256 and there.archived_at and archived.forget(tx, there.sha256):
        _remove(context, there.sha256)  # else what is there would be taken for what is brought
    outputs.note(tx, claimed.job_id, claimed.output_index, {"archived_at": None})
    if there.archived_at:
        telling.lost(tx, job, claimed.output_index, Lost.DAMAGED)
    if not hand_offs.refetch(tx, claimed.job_id, claimed.output_index):
        # Nothing where it is under way. A job that ended before there was an archive was never owed to it.
        hand_offs.owe(tx, [owed_archive(claimed.job_id, claimed.output_index, tx.now)])


def _output(tx: Transaction, claimed: HandOff) -> Output:
    return next(one for one in outputs.of_job(tx, claimed.job_id) if one.index == claimed.output_index)


def _remove(context: Context, sha256: str) -> None:
    try:
        context.archive.remove(sha256)
    except DestinationError as error:
        message = f"the archive has it damaged and could not remove it: {error.message}"
        raise ContentError(message, hint=error.hint) from error


def _go_on(tx: Transaction, job: Job, *, news: bool = False) -> list[FollowUp]:
    """Destinations, and further outputs of the job, waited for this one."""
    telling.ended(tx, job, hand_offs.announce_outputs(tx, job.id, news=news))
    return [FollowUp(Task.HAND_OFF)]
