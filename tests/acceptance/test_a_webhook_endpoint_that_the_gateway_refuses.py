"""The gateway will not call the endpoint that is configured: jobs are made without it and looked at."""

from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import BY_LOOKS, assert_delivered_once


def test_jobs_are_made_without_it_and_finished_by_looks(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, webhook_endpoint_id="00000000-0000-4000-8000-000000000000")
    orchestrator.start()
    database = orchestrator.database
    jobs = database.submit(*(wanted(duration=0.2) for _ in range(3)))
    database.wait(jobs)

    assert_delivered_once(orchestrator, sandbox, jobs)
    for job in jobs:
        assert database.job(job).without_webhook
        assert database.job(job).won_by in BY_LOOKS
        assert len(orchestrator.told("webhook_refused", job=job)) == 1
        notes = [one.note for one in database.timeline(job) if one.note]
        assert any("refused our webhook endpoint" in note for note in notes)
    creates = sandbox.requests("POST", path="/v1/videos")
    assert [row["status"] for row in creates].count(400) == 3
    assert [row["status"] for row in creates].count(200) == 3
