"""A job is committed by another process, and no message tells the orchestrator."""

from functools import partial
from statistics import median

from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until


def test_its_create_begins_within_a_tenth_of_a_second(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    jobs: list[str] = []
    for _ in range(7):
        (job,) = database.submit(wanted(duration=0.1))
        until("its create began", partial(database.timeline, job))
        jobs.append(job)
    database.wait(jobs)

    waits = [database.timeline(job)[0].at - database.job(job).accepted_at for job in jobs]
    assert median(waits) < 0.1, waits  # by the database's clock, from commit to the claim of the create
    assert_delivered_once(orchestrator, sandbox, jobs)
