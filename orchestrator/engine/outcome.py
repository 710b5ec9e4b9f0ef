"""How something ended, as a document for whoever waits downstream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.blame import Fault
from orchestrator.core.job import HandOff, HandOffKind, Job, Output
from orchestrator.core.routes import Outcome
from orchestrator.store.observations import Recorded


def document(
    job: Job,
    owed: HandOff,
    siblings: Sequence[Output],
    others: Sequence[HandOff],
    *,
    links: Mapping[int, str | None],
    content_urls: Mapping[int, str | None],
    timeline: Sequence[Recorded] | None = None,
) -> dict[str, Any]:
    """What happened, whose doing it was, and the ids to ask the gateway about it with.

    `siblings` are the job's outputs, `links` where those that the archive has can be read, `content_urls`
    where the gateway has those that are not kept. `others` are all hand-offs of the job, where it is about an
    output: one of them tells why that is missing. Without a timeline it is a short one, for a message.
    """
    what, output = _about_output(owed, others)
    told = {
        "job_id": job.id,
        "reference": job.reference,
        "metadata": job.metadata,
        "outcome": owed.outcome,
        "state": job.state,
        "blame": _blame(job, what, output),
        "error": job.failure if output is None else {"message": output.last_error, "code": what},
        "outputs": [_output(one, links, content_urls) for one in siblings],
        "gateway_id": job.gateway_id,
        "gateway_request_id": job.request_id,
        "gateway_status": job.gateway_status,
        "provider": job.provider,
        "model": job.model or job.request.get("model"),
        "won_by": job.won_by,
        "settled_at": _iso(job.settled_at),
    }
    return told if timeline is None else told | {"timeline": [_entry(one) for one in timeline]}


def _blame(job: Job, what: str, output: HandOff | None) -> Fault | None:
    if output is not None:
        return Fault.OUTPUT_MISSING
    return Fault.UNCERTAIN_CREATE if what == Outcome.UNCERTAIN else job.blame


def _output(
    output: Output, links: Mapping[int, str | None], content_urls: Mapping[int, str | None]
) -> dict[str, Any]:
    return {
        "index": output.index,
        "mime_type": output.mime_type,
        "bytes": output.size,
        "sha256": output.sha256,
        "output_url": links.get(output.index),
        "content_url": content_urls.get(output.index),
    }


def _entry(one: Recorded) -> dict[str, Any]:
    return {
        "at": _iso(one.at),
        "source": one.source,
        "seen": one.seen,
        "verdict": one.verdict,
        "state": one.to_state,
        "gateway_status": one.status,
        "request_id": one.request_id,
        "error": one.failure,
    }


def about_output(owed: HandOff) -> bool:
    """Whether it tells how an output ended, not its job."""
    return _said(owed)[0] in (Outcome.OUTPUT_MISSING, Outcome.OUTPUT_UNAVAILABLE)


def _said(owed: HandOff) -> tuple[str, str]:
    what, _, index = (owed.outcome or "").partition("-")
    return what, index


def _about_output(owed: HandOff, others: Sequence[HandOff]) -> tuple[str, HandOff | None]:
    """What is said of an output, and that output's way to the archive, if the outcome is about one."""
    what, index = _said(owed)
    if not about_output(owed):
        return what, None
    archive = (one for one in others if one.kind is HandOffKind.ARCHIVE)
    return what, next((one for one in archive if str(one.output_index) == index), None)


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
