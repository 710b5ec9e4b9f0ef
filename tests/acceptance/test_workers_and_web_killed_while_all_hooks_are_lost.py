"""Two hundred jobs are in flight, no webhook arrives, and every worker and the web process are killed.

Each look has been sent for by a countdown, and the countdowns are in the memory of those that die.
"""

import time
from collections.abc import Iterable

from orchestrator.celery_app import REDIS
from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.engine.sweep import HORIZON
from tests.acceptance.conftest import Deploy
from tests.acceptance.load import finish, lasting, unacknowledged
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.redis import RedisServer

MANY = 200
GUIDANCE = HORIZON - 5.0  # seconds to a look: near enough that a countdown is sent for it
SOON = 2.0  # seconds after the restart in which the last look is due


def test_all_are_handed_off_after_the_restart_and_none_twice(
    deploy: Deploy, sandbox: Sandbox, own_redis: RedisServer
) -> None:
    fleet = deploy(sandbox, broker_url=own_redis.url, poll_after_seconds=GUIDANCE)
    fleet.start_all(workers=2)
    database = fleet.database
    sandbox.faults(hooks_stopped=True)
    jobs = database.submit(*lasting(MANY, poll_after_seconds=GUIDANCE))
    until("all are in flight", lambda: {job.state for job in database.jobs()} == {State.WAITING}, 120)
    until("their countdowns are held", lambda: unacknowledged(own_redis) > 1)
    fleet.kill("worker", "web")
    assert unacknowledged(own_redis), "the dead had taken no countdown"
    assert not fleet.handed_off()
    finish(fleet, sandbox, jobs)
    database.let_pass(_last_look(database.jobs()) - SOON - time.time())

    restarted = time.time()
    # Nothing can be done before a job's look is due: the gateway's guidance, counted from its last answer.
    floor = _last_look(database.jobs()) - restarted
    fleet.ready(*(fleet.launch(role) for role in ("web", "worker", "worker")))
    beyond = recovered(
        "workers and web killed, all hooks lost", fleet, sandbox, jobs, since=restarted, floor=floor
    )
    assert beyond < REDIS["visibility_timeout"] / 2, "somebody waited for the messages of the dead"


def _last_look(jobs: Iterable[Job]) -> float:
    """When the last of the looks is due (epoch seconds)."""
    return max(job.due_at for job in jobs if job.due_at is not None)
