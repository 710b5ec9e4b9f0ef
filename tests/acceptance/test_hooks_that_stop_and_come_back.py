"""Webhooks make looks unneeded; they stop, and jobs are looked at again; they come, and it is over."""

import time
from typing import Any

from orchestrator.core.job import Job
from orchestrator.store import ledger
from tests.acceptance.conftest import Begin
from tests.acceptance.database import Database, wanted
from tests.acceptance.sandbox import HINT, Sandbox
from tests.acceptance.truth import BY_LOOKS
from tests.acceptance.waiting import until

LASTS = 2.0  # seconds that the provider takes for a job
A_SECOND = 8.0  # jobs
PACED_WITHIN = 2.5  # seconds after which looks are placed by what was learned
BACK_WITHIN = 2.5  # seconds of lag by the guidance, at a busy machine


def stream(database: Database, count: int) -> list[str]:
    """Jobs submitted one after the other, each as long as the others."""
    submitted: list[str] = []
    for _ in range(count):
        submitted += database.submit(wanted(duration=LASTS))
        time.sleep(1 / A_SECOND)
    return submitted


def gets(sandbox: Sandbox, jobs: list[Job]) -> list[dict[str, Any]]:
    """Looks at jobs, as the gateway saw them."""
    ours = {job.gateway_id for job in jobs}
    asked = sandbox.requests("GET", path="/v1/videos/G-")
    return [one for one in asked if one["job_id"] in ours and not one["path"].endswith("/content")]


def ended(database: Database, ids: list[str]) -> list[Job]:
    database.wait(ids)
    return [database.job(job_id) for job_id in ids]


def lag(job: Job) -> float:
    assert job.settled_at is not None
    assert job.created_at is not None
    return job.settled_at - job.created_at - LASTS


def assert_spaced(looks: list[dict[str, Any]]) -> None:
    """No look came sooner after the one before it than the gateway had asked for."""
    last: dict[Any, float] = {}
    for one in looks:
        assert one["at"] >= last.get(one["job_id"], 0.0) + HINT, one
        last[one["job_id"]] = one["at"]


def accounted(database: Database, count: int) -> ledger.Sums:
    """The ledger, once it has so many jobs."""

    def read() -> ledger.Sums | None:
        with database.store.read() as tx:
            sums = ledger.total(tx)
        return sums if sums.jobs >= count else None

    found = until(f"{count} jobs are in the ledger", read)
    assert found is not None
    assert found.jobs == count
    return found


def unlooked_at(sandbox: Sandbox, database: Database) -> bool:
    """Whether the next jobs are hardly looked at: webhooks are believed once some have come in a row."""
    time.sleep(PACED_WITHIN)
    jobs = ended(database, stream(database, 10))
    return len(gets(sandbox, jobs)) < 0.3 * len(jobs)


def test_polling_falls_comes_back_and_falls_again(begin: Begin, sandbox: Sandbox) -> None:
    # Requests are so dear that nobody looks where webhooks come: without them, all would wait for minutes.
    orchestrator = begin(sandbox, request_worth_seconds=200, longest_spacing_seconds=600, explored_share=0.0)
    orchestrator.start()
    database = orchestrator.database
    cold = ended(database, stream(database, 40))
    assert len(gets(sandbox, cold)) > len(cold), "nothing was known: by the guidance"

    accounted(database, len(cold))
    time.sleep(PACED_WITHIN)
    learned = ended(database, stream(database, 25))
    assert len(gets(sandbox, learned)) < 0.3 * len(learned)

    sandbox.faults(hooks_stopped=True)
    stopped = stream(database, 25)
    orchestrator.told("hooks_changed", channel="default|*", now="silent")
    silent = ended(database, [*stopped, *stream(database, 15)])
    assert {job.won_by for job in silent} <= BY_LOOKS
    assert max(map(lag, silent[-12:])) < BACK_WITHIN

    sandbox.faults(hooks_stopped=False)
    until("webhooks are relied on again", lambda: unlooked_at(sandbox, database))
    assert orchestrator.events("hooks_changed", channel="default|*", was="silent")
    everything = ended(database, [job.id for job in database.jobs()])
    looks = gets(sandbox, everything)
    assert_spaced(looks)
    counted = accounted(database, len(everything))
    assert counted.looks == len(looks)
    assert counted.rescued == sum(job.won_by in BY_LOOKS for job in everything)
