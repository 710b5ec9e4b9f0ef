"""What the use-cases count; the names are declared in `orchestrator.metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator import metrics
from orchestrator.core.effects import Effect
from orchestrator.core.job import HandOff, Job, Observation, Source
from orchestrator.core.learned.paces import Why
from orchestrator.core.lifecycle import SETTLED, Seen, Verdict
from orchestrator.store.attempts import Result
from orchestrator.store.ledger import Sums

if TYPE_CHECKING:
    from orchestrator.engine.answer import Answer  # it asks the gateway, which web and beat do not


def learned(job: Job, seen: Observation, effect: Effect, now: float) -> None:
    """What an observation meant. To be called once that is committed."""
    to = effect.step.to
    if effect.step.verdict is Verdict.CLASH and effect.keep:
        metrics.CLASHES.labels(seen.source).inc()
    if effect.step.verdict is not Verdict.MOVED:
        return
    metrics.MOVED.labels(job.state, to, seen.source).inc()
    if to in SETTLED:
        metrics.ENDED.labels(to, effect.changes.get("blame") or "nobody", seen.source).inc()
        metrics.JOBS.labels(to).observe(max(now - job.accepted_at, 0.0))
        if seen.ended_at is not None:
            metrics.END_TO_KNOWN.labels(seen.source).observe(max(now - seen.ended_at, 0.0))


def looked(why: Why, answer: Answer) -> None:
    """What came of one look at one job."""
    metrics.LOOKS.labels(why, _result(answer)).inc()


def _result(answer: Answer) -> str:
    if answer.put_off is not None:
        return "put_off"  # its tenant's rate of looks left no room
    if answer.error is not None:
        return "failed" if answer.asked else "not_asked"
    if not answer.asked:
        return "listed"  # a list told it, and spared the GET
    told = [one.seen for one in answer.seen if one.source is Source.POLL]
    return "running" if told and told[-1] is Seen.OPEN else "ended"


def handed_off(claimed: HandOff, result: Result, began_at: float, job: Job, now: float) -> None:
    """One attempt at a hand-off. To be called once that is committed."""
    metrics.HAND_OFFS.labels(claimed.kind, claimed.destination, result).inc()
    metrics.HAND_OFF_SECONDS.labels(claimed.kind).observe(max(now - began_at, 0.0))
    if result is Result.DONE and job.settled_at is not None:
        metrics.KNOWN_TO_HANDED_OFF.labels(claimed.kind).observe(max(now - job.settled_at, 0.0))


def accounted(sums: Sums) -> None:
    """Jobs and requests that came into the ledger. To be called once that is committed."""
    metrics.LEDGER_JOBS.inc(sums.jobs)
    metrics.LEDGER_AWAITED.inc(sums.awaited)
    metrics.LEDGER_RESCUED.inc(sums.rescued)
    for kind, looks in (("sent", sums.looks), ("listed", sums.lists), ("guidance", sums.guidance_looks)):
        metrics.LEDGER_LOOKS.labels(kind).inc(looks)
    for kind, lag in (("was", sums.lag), ("guidance", sums.guidance_lag)):
        metrics.LEDGER_LAG.labels(kind).inc(max(lag, 0.0))
