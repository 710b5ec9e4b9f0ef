"""What a destination is brought: under which name, and what is said about it."""

from __future__ import annotations

from datetime import UTC, datetime

from orchestrator.core.job import HandOff, Job, Output
from orchestrator.core.media import SUFFIXES
from orchestrator.sinks import Parcel

JSON = "application/json"


def of_output(job: Job, claimed: HandOff, output: Output) -> Parcel:
    """The bytes of one output."""
    mime_type = output.mime_type or "application/octet-stream"
    name = f"{job.id}-{output.index}{_again(claimed)}.{SUFFIXES.get(mime_type, 'bin')}"
    facts = {"index": str(output.index), "sha256": output.sha256 or "", "outcome": "completed"}
    return Parcel(name, mime_type, "output", claimed.created_at, _facts(job) | facts)


def of_outcome(job: Job, claimed: HandOff, *, as_file: bool, traceparent: str | None = None) -> Parcel:
    """A document about how something ended: a file of its own, or a message whose name is its id."""
    stem = f"{job.id}.{claimed.outcome}" if as_file else f"{job.id}-{claimed.outcome}"
    again = _again(claimed)
    name = f"{stem}{again}.json" if as_file else f"{stem}{again.replace('.', '-')}"
    event = f"job.{(claimed.outcome or '').partition('-')[0]}"
    facts = _facts(job) | {"outcome": claimed.outcome or "", "event": event}
    return Parcel(name, JSON, event, claimed.created_at, facts, traceparent)


def _again(claimed: HandOff) -> str:
    """What makes it another thing for those who received it before."""
    return f".again{claimed.generation}" if claimed.generation else ""


def _facts(job: Job) -> dict[str, str]:
    """What key templates and metadata may name; every one is always there.

    But for the provider nothing that may still change: keys are made of these, over attempts and replays.
    """
    return {
        "tenant": job.tenant_id,
        "job_id": job.id,
        "reference": job.reference or "",
        "model": str(job.request.get("model", "")),
        "provider": job.provider or "",
        "outcome": "",
        "index": "",
        "sha256": "",
        "date": datetime.fromtimestamp(job.accepted_at, UTC).strftime("%Y-%m-%d"),
        "event": "output",
    }
