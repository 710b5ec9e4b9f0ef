"""What became of a job, told as parts of one trace; nothing at all where nobody is told."""

from __future__ import annotations

from functools import partial
from typing import Any

from orchestrator.core.effects import Effect
from orchestrator.core.job import HandOff, Job, Observation, Source
from orchestrator.core.lifecycle import SETTLED, Verdict
from orchestrator.core.support import without_request
from orchestrator.core.tracing import Part, Span, Trace, trace_of, traceparent_of
from orchestrator.engine.context import Context
from orchestrator.store.database import Transaction

Fact = str | int | float | bool
# What has no part of its own, since it is no call about one job.
_TOLD = {Source.LIST, Source.CLOCK, Source.OPERATOR}


def tell(
    context: Context,
    job: Job,
    part: Part,
    name: object,
    began: float,
    ended: float,
    *,
    failed: str | None = None,
    called: bool = False,
    **facts: Fact | None,
) -> None:
    """Tell one part that is over. Times are the database's; facts that are None are left out.

    What others said in `failed` may repeat the request, which stays here.
    """
    if context.spans is None:
        return
    known = {f"{part}.{fact}": value for fact, value in facts.items() if value is not None}
    why = None if failed is None else without_request(failed, job.request)
    context.spans.tell(Span(_trace(job), part, name, began, ended, known, why, called))


def moved(context: Context, tx: Transaction, job: Job, seen: Observation, effect: Effect) -> None:
    """A move: the job's own span where it ends it, and that of who told where it has no other."""
    if context.spans is None or effect.step.verdict is not Verdict.MOVED:
        return
    now, to = tx.now, effect.step.to
    # A webhook that had come before its job was known was no call about it either.
    early = seen.source is Source.WEBHOOK and seen.note is not None
    if seen.source in _TOLD or early:
        told = partial(tell, context, job, Part.TOLD, job.next_seq, now, now)
        tx.after_commit.append(partial(told, source=seen.source, seen=seen.seen, state=to))
    if to in SETTLED and job.state not in SETTLED:  # else it was told already, by the same id
        facts = {"state": to, "won_by": seen.source, "blame": effect.changes.get("blame")}
        failed = str(facts["blame"] or to) if facts["blame"] else None
        own = partial(tell, context, job, Part.JOB, "", job.accepted_at, now, failed=failed)
        tx.after_commit.append(partial(own, **facts))


def outgoing(context: Context, job: Job, part: Part, name: object) -> str | None:
    """The `traceparent` of a call that is such a part. Where we tell no trace, the submitter's goes on."""
    if context.spans is None:
        return job.traceparent
    trace = _trace(job)
    return traceparent_of(trace, trace.span_id(part, name), sampled=context.spans.sampled(trace))


def of_hand_off(claimed: HandOff) -> str:
    """What tells one attempt at a hand-off from all others of its job."""
    return f"{claimed.key}/{claimed.generation}/{claimed.fence}"


def traced(context: Context, job: Job) -> dict[str, Any]:
    """For log lines: the trace, where there is one."""
    return {"trace_id": _trace(job).id} if context.spans is not None or job.traceparent else {}


def _trace(job: Job) -> Trace:
    return trace_of(job.id, job.traceparent)
