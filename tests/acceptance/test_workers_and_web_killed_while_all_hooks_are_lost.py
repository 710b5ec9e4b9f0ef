"""Two hundred jobs are in flight, no webhook arrives, and every worker and the web process are killed."""

import time

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

MANY = 200
GUIDANCE = 60.0  # seconds to the first look: all are in flight before it
PASSES = 55.0  # seconds of them that are let pass
# Messages that the dead had taken come back after five minutes (celery_app): nobody waited for those.
MESSAGES_COME_BACK = 300.0


def test_all_are_handed_off_after_the_restart_and_none_twice(deploy: Deploy, sandbox: Sandbox) -> None:
    fleet = deploy(sandbox, poll_after_seconds=GUIDANCE)
    fleet.start_all(workers=2)
    database = fleet.database
    sandbox.faults(hooks_stopped=True)
    both = list(Updates)
    jobs = database.submit(*(wanted(updates=both[number % 2], duration=0.1) for number in range(MANY)))
    until("all are in flight", lambda: {job.state for job in database.jobs()} == {State.WAITING}, 120)
    fleet.kill("worker", "web")
    assert not fleet.handed_off()
    assert not any(job.looks for job in database.jobs()), "every countdown was still ahead"
    database.let_pass(PASSES)

    restarted = time.time()
    # Nothing can be done before a job's look is due: the gateway's guidance, counted from its last answer.
    floor = max(job.due_at or 0.0 for job in database.jobs()) - restarted
    fleet.ready(*(fleet.launch(role) for role in ("web", "worker", "worker")))
    beyond = recovered(
        "workers and web killed, all hooks lost", fleet, sandbox, jobs, since=restarted, floor=floor
    )
    assert beyond < MESSAGES_COME_BACK / 2
