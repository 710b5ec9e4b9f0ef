"""How a job ended when it did not end in outputs, as a document for whoever waits downstream."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestrator.core.job import Blame, HandOff, Job
from orchestrator.store.observations import Recorded

OUTPUT_MISSING = "output_missing"


def document(job: Job, owed: HandOff, others: list[HandOff], timeline: list[Recorded]) -> dict[str, Any]:
    """The outcome: what happened, whose doing it was, and the ids to ask the gateway about it with.

    `others` are all hand-offs of the job: one of them tells why an output is missing.
    """
    output = _missing_output(owed, others)
    return {
        "job_id": job.id,
        "reference": job.reference,
        "metadata": job.metadata,
        "outcome": owed.outcome,
        "state": job.state,
        "blame": job.blame if output is None else Blame.OUTPUT_MISSING,
        "error": job.failure if output is None else {"message": output.last_error, "code": OUTPUT_MISSING},
        "gateway_id": job.gateway_id,
        "gateway_request_id": job.request_id,
        "gateway_status": job.gateway_status,
        "provider": job.provider,
        "model": job.model or job.request.get("model"),
        "won_by": job.won_by,
        "settled_at": _iso(job.settled_at),
        "timeline": [
            {
                "at": _iso(one.at),
                "source": one.source,
                "seen": one.seen,
                "verdict": one.verdict,
                "state": one.to_state,
                "gateway_status": one.status,
                "request_id": one.request_id,
                "error": one.failure,
            }
            for one in timeline
        ],
    }


def _missing_output(owed: HandOff, others: list[HandOff]) -> HandOff | None:
    """The hand-off of the output that an outcome is about, if it is about one."""
    name, _, index = (owed.outcome or "").partition("-")
    if name != OUTPUT_MISSING:
        return None
    return next((one for one in others if str(one.output_index) == index), None)


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
