"""The gateway's own GET causes the webhook, so poll and hook arrive together: the normal case."""

from orchestrator.core.job import Job, Source, Updates
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.load import finish, lasting
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import BY_LOOKS, assert_delivered_once

MANY = 20


def test_whichever_comes_first_the_result_is_handed_off_once(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    # Until its cron tick the gateway does not know the end: our look reveals it and sets off the hook.
    looked = database.submit(*lasting(MANY, Updates.HYBRID, notice="tick", webhook_concurrent=1))
    # These end around their first look, whoever comes first.
    either = database.submit(*(wanted(duration=0.4 + 0.01 * number) for number in range(MANY)))
    finish(orchestrator, sandbox, looked)
    jobs = [*looked, *either]
    database.wait(jobs)

    assert_delivered_once(orchestrator, sandbox, jobs)
    for job in looked:
        database.wait_for(job, "it was told by both", lambda job: job.webhooks and _was_looked_at(job))
    ended = [database.job(job) for job in jobs]
    assert {job.won_by for job in ended} <= BY_LOOKS | {Source.WEBHOOK}
    assert not any(job.clashes for job in ended)


def _was_looked_at(job: Job) -> bool:
    """By itself, or by a list of many."""
    return job.looks > 0 or job.won_by in BY_LOOKS
