"""What a person needs to settle an uncertain create: what is known of it, what was searched, the ways out."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core.cadence import SEARCH_FOR_PERSON_EVERY
from orchestrator.core.job import Job, Observation, Source, session_of
from orchestrator.core.lifecycle import Seen
from orchestrator.engine import foresight
from orchestrator.engine.context import Context
from orchestrator.engine.foresight import Foreseen
from orchestrator.store import job_lists, jobs, observations, searches, uncertain_creates
from orchestrator.store.observations import Recorded
from orchestrator.store.searches import Search

MOST = 1_000  # that are counted
WAYS_OUT = (Seen.ADOPT, Seen.RESUBMIT, Seen.GIVE_UP)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of those that wait for a person, oldest first, and some that may still be found.

    `after`: the id to go on from, None at the end.
    """

    waiting: list[Job]
    after: str | None
    searching: list[Job]
    count: int
    now: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """One of them: each create attempt's session, what the calls met, and the latest search of its account.

    `foreseen`: what each way out would do now. `search_every`: seconds between two searches.
    """

    job: Job
    sessions: tuple[str, ...]
    met: list[Recorded]
    search: Search | None
    search_every: float
    foreseen: dict[Seen, Foreseen]
    now: float


def listed(context: Context, tenant_id: str | None, *, limit: int, after: str | None) -> Listed:
    """Those of one tenant, or of all."""
    with context.store.read() as tx:
        found = uncertain_creates.oldest(tx, tenant_id, needs_person=True, limit=limit + 1, after=after)
        searching = uncertain_creates.oldest(tx, tenant_id, needs_person=False, limit=limit)
        count = uncertain_creates.count(tx, tenant_id, needs_person=True, most=MOST + 1)
        more = found[limit - 1].id if len(found) > limit else None
        return Listed(found[:limit], more, searching, count, tx.now)


def evidence(context: Context, tenant_id: str | None, job_id: str) -> Evidence:
    """All that is known of one. Raises NotFound, also for another tenant's."""
    with context.store.read() as tx:
        job = jobs.require(tx, job_id) if tenant_id is None else job_lists.of_tenant(tx, tenant_id, job_id)
        every = SEARCH_FOR_PERSON_EVERY if job.needs_person else context.settings.uncertain_every_seconds
        decisions = {seen: Observation(Source.OPERATOR, seen) for seen in WAYS_OUT}
        return Evidence(
            job,
            tuple(session_of(job.id, attempt) for attempt in range(1, job.attempts + 1)),
            [one for one in observations.of_job(tx, job.id) if one.source is Source.CREATE],
            searches.of_account(tx, job.account_id),
            every,
            {seen: foresight.of_decision(context, tx, job, said) for seen, said in decisions.items()},
            tx.now,
        )
