"""Two hundred jobs are in flight, every countdown in the memory of one process, and it is killed."""

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until

MANY = 200


def test_all_are_handed_off_and_none_twice(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start(poll_after_seconds=60)
    database = orchestrator.database
    sandbox.faults(hooks_stopped=True)
    both = list(Updates)
    jobs = database.submit(*(wanted(updates=both[number % 2], duration=0.1) for number in range(MANY)))
    until(
        "all are in flight",
        lambda: {job.state for job in database.jobs()} == {State.WAITING},
        every=0.05,
    )
    orchestrator.kill()
    assert not any(job.looks for job in database.jobs()), "every countdown was still ahead"
    assert not orchestrator.handed_off()
    database.let_pass(56)  # some are due by now, the others within a few seconds

    orchestrator.start()
    database.wait(jobs)
    assert_delivered_once(orchestrator, sandbox, jobs)
