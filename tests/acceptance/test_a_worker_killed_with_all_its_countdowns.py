"""Two hundred jobs are in flight, every countdown in the memory of one process, and it is killed."""

from orchestrator.core.lifecycle import State
from orchestrator.engine.sweep import HORIZON
from tests.acceptance.conftest import Begin
from tests.acceptance.load import finish, lasting
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until

MANY = 200
GUIDANCE = HORIZON - 5.0  # seconds to a look: near enough that a countdown is sent for it


def test_all_are_handed_off_and_none_twice(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start(poll_after_seconds=GUIDANCE)
    database = orchestrator.database
    sandbox.faults(hooks_stopped=True)
    jobs = database.submit(*lasting(MANY, poll_after_seconds=GUIDANCE))
    until("all are in flight", lambda: {job.state for job in database.jobs()} == {State.WAITING}, 120)
    orchestrator.kill()
    assert not orchestrator.handed_off()
    finish(orchestrator, sandbox, jobs)
    database.let_pass(GUIDANCE - 4)  # some are due by now, the others within a few seconds

    orchestrator.start()
    database.wait(jobs, 120)
    assert_delivered_once(orchestrator, sandbox, jobs)
