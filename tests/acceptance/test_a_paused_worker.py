"""A worker is held for longer than it may be silent, and then goes on with what others did meanwhile."""

import os
import signal
import time
from typing import Any

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.processes.timers import BEAT_EVERY
from orchestrator.store.database import WORKER_DEAD_AFTER
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.recovery import held, recovered, shares
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until

MANY = 30
NOT_CREATED = {State.ACCEPTED, State.CREATING, State.UNCERTAIN}
# A hand-off takes a second, so that some are under way.
SLOW: dict[str, Any] = {"content_bytes": 400_000, "content_rate": 400_000}


def test_what_it_held_is_done_by_others_and_its_late_writes_are_refused(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet = deploy(sandbox)
    fleet.start_all(workers=2)
    paused = fleet.of("worker")[0]
    both = list(Updates)
    jobs = fleet.database.submit(*(wanted(updates=both[n % 2], duration=0.2, **SLOW) for n in range(MANY)))
    # Not in the middle of a create: one that was cut off may have made nothing, and waits for a person.
    until("all are created", lambda: not {job.state for job in fleet.database.jobs()} & NOT_CREATED, 60)
    until("it holds several hand-offs", lambda: len(held(fleet, paused)) >= 3, 60)
    os.kill(paused.pid, signal.SIGSTOP)
    stopped, its = time.time(), held(fleet, paused)
    assert its, "it was held in the middle of its work"
    # Mostly it is in the middle of a transaction too, which PostgreSQL ends after IDLE_WITHIN, 15 s.
    recovered(
        "one of two workers paused",
        fleet,
        sandbox,
        jobs,
        since=stopped,
        floor=WORKER_DEAD_AFTER - BEAT_EVERY,
        files=False,  # half files are left until it is back
        untold=1,  # it may have been held between a commit and the line that tells of it
    )
    seen = {file: file.stat().st_ino for file in fleet.files() if not file.name.startswith(".")}
    told = shares(fleet)[0]

    os.kill(paused.pid, signal.SIGCONT)
    more = fleet.database.submit(*(wanted(updates=Updates.POLL, duration=0.2) for _ in range(MANY)))
    fleet.database.wait(more, 120)
    until("it works again", lambda: shares(fleet)[0] > told)
    assert {file: file.stat().st_ino for file in seen} == seen, "a file was written again"
    until("nothing half is left", lambda: not [one for one in fleet.files() if one.name.startswith(".")])
    assert_delivered_once(fleet, sandbox, [*jobs, *more])
