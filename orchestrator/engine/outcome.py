"""How a job ended when it did not end in outputs, as a document for whoever waits downstream."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestrator.core.job import Blame, HandOff, Job
from orchestrator.store.observations import Recorded

OUTPUT_MISSING = "output_missing"  # the gateway says, for long, that there is nothing
OUTPUT_UNAVAILABLE = "output_unavailable"  # it could not be fetched in all attempts


def document(job: Job, owed: HandOff, others: list[HandOff], timeline: list[Recorded]) -> dict[str, Any]:
    """The outcome: what happened, whose doing it was, and the ids to ask the gateway about it with.

    `others` are all hand-offs of the job: one of them tells why an output is missing.
    """
    what, output = _about_output(owed, others)
    return {
        "job_id": job.id,
        "reference": job.reference,
        "metadata": job.metadata,
        "outcome": owed.outcome,
        "state": job.state,
        "blame": job.blame if output is None else Blame.OUTPUT_MISSING,
        "error": job.failure if output is None else {"message": output.last_error, "code": what},
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


def _about_output(owed: HandOff, others: list[HandOff]) -> tuple[str, HandOff | None]:
    """What is said of an output, and that output's hand-off, if the outcome is about one."""
    what, _, index = (owed.outcome or "").partition("-")
    if what not in (OUTPUT_MISSING, OUTPUT_UNAVAILABLE):
        return what, None
    return what, next((one for one in others if str(one.output_index) == index), None)


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
