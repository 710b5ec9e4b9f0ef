"""The process that receives webhooks dies under them, twice; the gateway's retries make up for it."""

from orchestrator.core.job import Source, Updates
from tests.acceptance.conftest import SPEED, Begin
from tests.acceptance.database import wanted
from tests.acceptance.load import finish, lasting
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until

MANY = 40


def test_what_was_not_acknowledged_comes_again(begin: Begin, fast_sandbox: Sandbox) -> None:
    sandbox = fast_sandbox
    orchestrator = begin(sandbox, poll_after_seconds=3000)  # no look will help
    orchestrator.start()
    database = orchestrator.database
    tail = database.submit(*lasting(4, Updates.HYBRID))
    jobs = database.submit(*(wanted(duration=(1.0 + 0.05 * number) * SPEED) for number in range(MANY)))
    until("all are created", lambda: all(job.gateway_id for job in database.jobs()))
    for share, ending in ((MANY // 4, tail[:2]), (MANY // 2, tail[2:])):
        until("some have ended", lambda share=share: len(orchestrator.handed_off()) >= share)  # type: ignore[misc]
        failed = _failed(sandbox)
        orchestrator.kill()
        finish(orchestrator, sandbox, ending)
        until("a webhook met nobody", lambda failed=failed: _failed(sandbox) > failed)  # type: ignore[misc]
        with sandbox.process.held():  # its retries take six seconds of ours, and a start may take longer
            orchestrator.start()
    jobs += tail
    database.wait(jobs)

    assert_delivered_once(orchestrator, sandbox, jobs)
    assert {database.job(job).won_by for job in jobs} == {Source.WEBHOOK}


def _failed(sandbox: Sandbox) -> int:
    """How many attempts at telling the end of a job came to nothing."""
    return sum(row["statuses"].count(None) for row in sandbox.webhooks(type="video.completed"))
