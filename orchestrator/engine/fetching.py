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

LEASE = 120.0  # seconds; renewed while bytes flow, however slowly
RENEW_EVERY = 30.0  # seconds; whatever is waited for in between takes a minute at most


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
    gateway, lease = context.gateways[job.account_id], _Lease(context, claimed)
    with context.http.enter(gateway.content(job.gateway_id, output.index)) as content:
        lease.keep()
        staging = stage(content.mime_type)
        try:
            count = _copy(context, lease, content, staging)
            _check_count(count, content, output)
        except BaseException:
            staging.discard()
            raise
    return Fetched(staging, content.mime_type, count)


def _copy(context: Context, lease: _Lease, content: Content, staging: Staging) -> int:
    walk = BoxWalk() if content.mime_type == "video/mp4" else None
    count = 0
    try:
        for chunk in context.http.each(content.chunks()):
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
            lease.keep()
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


class _Lease:
    """The lease of one attempt, renewed as time passes."""

    def __init__(self, context: Context, claimed: HandOff) -> None:
        self._context = context
        self._claimed = claimed
        self._renewed_at = context.clock()

    def keep(self) -> None:
        """Renew it if it is time. Raises LeaseLost when it went to another attempt."""
        now = self._context.clock()
        if now - self._renewed_at < RENEW_EVERY:
            return
        with self._context.store.write(durable=False) as tx:
            if not hand_offs.renew_if_ours(tx, self._claimed, lease=LEASE):
                raise LeaseLost("the lease went to another attempt", hint="that one goes on")
        self._renewed_at = now
