"""The gateway calls about a job whose id we do not know yet, because its create has not answered."""

from orchestrator.core.job import Source
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once


def test_it_is_believed_and_the_answer_changes_nothing(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox, poll_after_seconds=300)
    orchestrator.start()
    database = orchestrator.database
    jobs = database.submit(
        wanted(duration=0, webhook_early=True),  # the whole story is told before the answer leaves
        wanted(duration=0.2, create_delay=1.0),  # the job ends while the answer is held back
        wanted(duration=0.2, create_delay=1.0, webhook_lose="created"),
        wanted(duration=0.2, create_delay=1.0, webhook_bare=True, webhook_legacy=True),
    )
    database.wait(jobs)
    orchestrator.database.wait_for(jobs[-1], "its create is answered", lambda job: job.leased_by is None)

    assert_delivered_once(orchestrator, sandbox, jobs)
    for job in jobs:
        assert database.job(job).won_by is Source.WEBHOOK
        assert database.job(job).looks == 0
