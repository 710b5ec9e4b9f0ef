"""Bringing one thing to a destination: an output from the archive, or a document about how a job ended."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NoReturn

from orchestrator.core.job import HandOff, HandOffKind, Job, Output
from orchestrator.core.tracing import Part
from orchestrator.engine import parcels, spans
from orchestrator.engine.context import Context
from orchestrator.engine.lease import Lease
from orchestrator.engine.outcome import about_output, document
from orchestrator.errors import NEVER, ContentDamaged, ContentError, DestinationError
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway.addresses import content_url
from orchestrator.sinks import Delivered, Parcel, Sink
from orchestrator.store import hand_offs, observations
from orchestrator.store.observations import Recorded


def deliver(context: Context, claimed: HandOff, job: Job, siblings: list[Output]) -> Delivered:
    """Bring it there, or find that an earlier attempt did. Raises DestinationError or ContentError."""
    destination = context.destinations.get(claimed.destination)
    if destination is None:
        raise DestinationError(
            f"there is no destination {claimed.destination!r} any more",
            hint="configure it again, or replay the hand-off once it exists",
        )
    if claimed.kind is HandOffKind.OUTCOME:
        return _deliver_outcome(context, destination.sink, claimed, job, siblings)
    output = next(one for one in siblings if one.index == claimed.output_index)
    return _deliver_output(context, destination.sink, claimed, job, output)


def _deliver_output(context: Context, sink: Sink, claimed: HandOff, job: Job, output: Output) -> Delivered:
    if not output.sha256 or not output.archived_at:
        raise ContentDamaged("the archive does not have this output", hint="it is fetched from the gateway")
    parcel = parcels.of_output(job, claimed, output)
    chunks = _from_archive(context, output.sha256, verify=False)  # who stages them hashes them
    delivered = _bring(context, sink, parcel, claimed, chunks, sha256=output.sha256)
    if delivered.sha256 != output.sha256:
        raise DestinationError(
            f"something else is at {delivered.location} already",
            hint="remove it if it may go, then replay this hand-off; or replay it with --as-new",
            retry=NEVER,
        )
    return delivered


def _from_archive(context: Context, sha256: str, *, verify: bool) -> Iterator[bytes]:
    """What the archive has; its failures are none of the destination's."""
    try:
        yield from context.archive.read(sha256, verify=verify)
    except DestinationError as error:
        message = f"the archive could not be read: {error.message}"
        raise ContentError(message, hint=error.hint, retry=error.retry) from error


def _deliver_outcome(
    context: Context, sink: Sink, claimed: HandOff, job: Job, siblings: list[Output]
) -> Delivered:
    others, timeline = _told_besides(context, sink, claimed)
    links = {one.index: context.link(job.id, one.index) for one in siblings if one.archived_at}
    content_urls = {one.index: _content_url(context, job, one.index) for one in siblings if one.elsewhere}
    told = document(job, claimed, siblings, others, timeline=timeline, links=links, content_urls=content_urls)
    body = json.dumps(told, indent=2 if sink.takes_files else None, ensure_ascii=False).encode()
    traceparent = spans.outgoing(context, job, Part.HAND_OFF, spans.of_hand_off(claimed))
    parcel = parcels.of_outcome(job, claimed, as_file=sink.takes_files, traceparent=traceparent)
    return _bring(context, sink, parcel, claimed, [body])


def _told_besides(
    context: Context, sink: Sink, claimed: HandOff
) -> tuple[list[HandOff], list[Recorded] | None]:
    """All that is or was owed for the job, and its timeline, as far as this document tells of them."""
    if not sink.takes_files and not about_output(claimed):
        return [], None  # a short one of how the job ended: nothing is read for it
    with context.store.read() as tx:
        timeline = observations.of_job(tx, claimed.job_id) if sink.takes_files else None
        return hand_offs.of_job(tx, claimed.job_id), timeline


def _content_url(context: Context, job: Job, index: int) -> str | None:
    """Where the gateway has it; None where the account was removed."""
    assert job.gateway_id is not None  # only a job that the gateway has has outputs
    base_url = context.base_urls.get(job.account_id)
    return None if base_url is None else content_url(base_url, job.gateway_id, index)


def _bring(
    context: Context,
    sink: Sink,
    parcel: Parcel,
    claimed: HandOff,
    chunks: Iterable[bytes],
    *,
    sha256: str | None = None,
) -> Delivered:
    lease = Lease(context, claimed)
    if claimed.fence > 1 and (there := sink.find(parcel)) is not None:
        return there  # an attempt published it that did not live to say so
    staging = sink.stage(parcel, claimed.fence)
    try:
        for chunk in chunks:
            staging.write(chunk)
            lease.keep()
        if sha256 is not None and staging.sha256() != sha256:
            _tell_who_is_wrong(context, lease, sha256)
        reach(FaultPoint.DELIVERING_STAGED)
        lease.keep()
        return staging.publish()
    finally:
        staging.discard()


def _tell_who_is_wrong(context: Context, lease: Lease, sha256: str) -> NoReturn:
    """Other bytes were staged than were kept. The archive's copy is given up only where it is damaged."""
    for _ in _from_archive(context, sha256, verify=True):
        lease.keep()
    raise DestinationError(
        "it staged other bytes than the archive has",
        hint="if this comes again, the destination's kind has a bug: report it to its author",
    )
