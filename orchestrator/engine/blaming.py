"""Whose fault it was: everything that went wrong with a job, and how often each fault was met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.core import aftermath, evidence, support
from orchestrator.core.blame import OF_WEBHOOKS, Counted, Finding, Met
from orchestrator.core.job import Job
from orchestrator.engine import outage
from orchestrator.store import faults, hand_offs
from orchestrator.store.database import Transaction
from orchestrator.store.faults import Whose

Lesson = Mapping[str, Any]

HOUR = 3_600
DAY = 86_400


def of_job(tx: Transaction, job: Job) -> list[Finding]:
    """Every fault of a job: the one of its end first, then those met on the way, in their order."""
    noted = [one for one in faults.of_job(tx, job.id) if one.fault is not job.blame]
    owed = hand_offs.of_job(tx, job.id) if noted else []
    met = [
        support.finding(
            job,
            Met(one.fault, one.evidence, one.request_id),
            at=one.at,
            times=one.times,
            last_at=one.last_at,
            overcome=aftermath.overcome(one.fault, job, owed),
        )
        for one in noted
    ]
    end = evidence.of_end(job)
    return met if end is None else [support.finding(job, end, at=job.state_since, of_end=True), *met]


def blame_missed_webhooks(
    tx: Transaction, missed: Mapping[str, Lesson], met_nobody: Mapping[str, Lesson]
) -> None:
    """Note of jobs, which are held, that no webhook told their end, with what that end taught.

    `met_nobody`: their webhooks were sent, if at all, while our receiver was away. Nothing is noted where it
    is known better: what the gateway tried, and what became of it here.
    """
    everything = {**missed, **met_nobody}
    if not everything:
        return
    known, away = faults.with_any(tx, list(everything), OF_WEBHOOKS), outage.under_way(tx)
    met = [
        Whose(
            job_id,
            str(data["tenant"]),
            evidence.of_missed_webhook(
                data.get("hook"), tx.now - data["at"], nobody_listened=away or job_id in met_nobody
            ),
        )
        for job_id, data in everything.items()
        if job_id not in known
    ]
    faults.note_all(tx, met)


def counts(tx: Transaction, tenant_id: str | None, since: float, *, every: int = HOUR) -> list[Counted]:
    """How many jobs met each fault, or ended with that blame, since then, by hours, or spans of `every` s.

    Of one tenant, or with None of all; spans begin at whole multiples since the epoch.
    """
    return faults.counted(tx, tenant_id, since=since, every=every)
