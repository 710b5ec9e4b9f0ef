"""Fetching one output whole: counted, hashed and checked while it streams (design 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.core.job import HandOff, Job, Output
from orchestrator.core.mp4 import BoxWalk, Mp4Error
from orchestrator.engine.context import Context
from orchestrator.errors import NEVER, ContentError, LeaseLost
from orchestrator.gateway.content import Content
from orchestrator.sinks import Staging
from orchestrator.store import hand_offs

LEASE = 120.0  # seconds; renewed while bytes flow
RENEW_EVERY = 32  # chunks of 256 KiB: 8 MiB


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole output, staged and not yet shown to anybody."""

    staging: Staging
    mime_type: str
    bytes: int


def fetch(
    context: Context, claimed: HandOff, job: Job, output: Output, stage: Callable[[str], Staging]
) -> Fetched:
    """Stream an output into a staging. Raises ContentError or DestinationError and leaves nothing behind."""
    assert job.gateway_id is not None  # only a job that the gateway has can complete
    gateway = context.gateways[job.account_id]
    with context.http.enter(gateway.content(job.gateway_id, output.index)) as content:
        staging = stage(content.mime_type)
        try:
            count = _copy(context, claimed, content, staging)
            _check_count(count, content, output)
        except BaseException:
            staging.discard()
            raise
    return Fetched(staging, content.mime_type, count)


def _copy(context: Context, claimed: HandOff, content: Content, staging: Staging) -> int:
    walk = BoxWalk() if content.mime_type == "video/mp4" else None
    count = 0
    try:
        for number, chunk in enumerate(context.http.each(content.chunks()), start=1):
            count += len(chunk)
            if count > context.settings.output_max_bytes:
                raise ContentError(
                    f"the content is larger than {context.settings.output_max_bytes} bytes",
                    hint="raise ORCHESTRATOR_OUTPUT_MAX_BYTES and replay the hand-off",
                    retry=NEVER,
                )
            if walk is not None:
                walk.feed(chunk)
            staging.write(chunk)
            if number % RENEW_EVERY == 0:
                _renew(context, claimed)
        if walk is not None and count:
            walk.finish()
    except Mp4Error as error:
        raise ContentError(f"the content is no whole MP4: {error}", hint="it is fetched again") from error
    return count


def _check_count(count: int, content: Content, output: Output) -> None:
    # There is often no Content-Length, and the gateway cuts at 512 MiB without a word.
    if count == 0:
        raise ContentError("the content is empty", hint="it is fetched again")
    for said, who in ((content.length, "Content-Length"), (output.announced_bytes, "the job's asset")):
        if said is not None and count != said:
            raise ContentError(f"{count} bytes came, {who} says {said}", hint="it is fetched again")


def _renew(context: Context, claimed: HandOff) -> None:
    with context.store.write(durable=False) as tx:
        if not hand_offs.renew_if_ours(tx, claimed, lease=LEASE):
            raise LeaseLost("the lease went to another attempt", hint="that one goes on")
