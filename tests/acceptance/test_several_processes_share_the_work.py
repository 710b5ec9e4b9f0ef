"""Web, two workers and beat on one PostgreSQL and one Redis: every job is done once, by hook or by look."""

from orchestrator.core.job import Source, Updates
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.load import until_all_is_well, until_each_works
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import BY_LOOKS, assert_delivered_once
from tests.acceptance.waiting import until

MANY = 20
LOOKS_AFTER = 300.0  # seconds: no look comes before a webhook, however busy the machine is


def test_each_job_is_delivered_once_every_worker_has_a_share_and_all_is_well(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet = deploy(sandbox, poll_after_seconds=LOOKS_AFTER)
    fleet.start_all(workers=2)
    hooked = fleet.database.submit(*[wanted(duration=0.3)] * MANY)
    polled = fleet.database.submit(*[wanted(duration=0.3, updates=Updates.POLL)] * MANY)
    fleet.database.wait(hooked)
    until("the gateway has the others", lambda: all(job.gateway_id for job in fleet.database.jobs()))
    fleet.database.let_pass(2 * LOOKS_AFTER)  # up to a tenth is added by chance
    fleet.database.wait(polled)
    assert {fleet.database.job(job).won_by for job in polled} <= BY_LOOKS
    assert {fleet.database.job(job).won_by for job in hooked} == {Source.WEBHOOK}

    jobs = until_each_works(fleet)
    assert_delivered_once(fleet, sandbox, [*hooked, *polled, *jobs])
    until_all_is_well(fleet)
    fleet.stop("beat", "worker", "web")
