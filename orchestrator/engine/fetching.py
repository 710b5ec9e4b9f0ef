"""Fetching one output whole: counted, hashed and checked while it streams (design 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.archive import Keeping
from orchestrator.core.job import Job, Output
from orchestrator.core.mp4 import BoxWalk, Mp4Error
from orchestrator.engine.context import Context
from orchestrator.engine.http_loop import Ahead
from orchestrator.engine.lease import Lease
from orchestrator.errors import NEVER, AccountUnusable, ContentError

if TYPE_CHECKING:
    from orchestrator.gateway.client import Gateway
    from orchestrator.gateway.content import Content


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole output, not yet kept under its hash."""

    keeping: Keeping
    mime_type: str
    bytes: int


def fetch(context: Context, lease: Lease, job: Job, output: Output, begin: Callable[[], Keeping]) -> Fetched:
    """Stream an output to the archive. Raises ContentError or DestinationError and leaves nothing behind."""
    assert job.gateway_id is not None  # only a job that the gateway has can complete
    gateway = _gateway(context, job)
    with context.http.enter(gateway.content(job.gateway_id, output.index)) as content:
        lease.keep()
        keeping = begin()
        try:
            count = _copy(context, lease, content, keeping)
            _check_count(count, content, output)
        except BaseException:
            keeping.discard()
            raise
    return Fetched(keeping, content.mime_type, count)


def _gateway(context: Context, job: Job) -> Gateway:
    try:
        return context.gateways[job.account_id]
    except AccountUnusable as error:
        raise ContentError(error.message, hint=error.hint, retry=error.retry) from error


def _copy(context: Context, lease: Lease, content: Content, keeping: Keeping) -> int:
    walk = BoxWalk() if content.mime_type == "video/mp4" else None
    count = 0
    try:
        with context.http.closing(Ahead(content.chunks())) as chunks:
            for chunk in chunks:
                count += len(chunk)
                _check_limit(count, context.settings.output_max_bytes)
                if walk is not None:
                    walk.feed(chunk)
                keeping.write(chunk)
                lease.keep()
        if walk is not None and count:
            walk.finish()
    except Mp4Error as error:
        raise ContentError(
            f"the content is not a complete MP4: {error}", hint="it is fetched again"
        ) from error
    return count


def _check_limit(count: int, most: int) -> None:
    if count > most:
        raise ContentError(
            f"the content is larger than {most} bytes",
            hint="raise ORCHESTRATOR_OUTPUT_MAX_BYTES and replay the hand-off",
            retry=NEVER,
        )


def _check_count(count: int, content: Content, output: Output) -> None:
    # There is often no Content-Length, and the gateway cuts at 512 MiB without a word.
    if count == 0:
        raise ContentError("the content is empty", hint="it is fetched again")
    for said, who in ((content.length, "Content-Length"), (output.announced_bytes, "the job's asset")):
        if said is not None and count != said:
            raise ContentError(f"{count} bytes came, {who} says {said}", hint="it is fetched again")
