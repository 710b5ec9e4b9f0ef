"""A worker is held for longer than it may be silent, and then goes on with what others did meanwhile."""

import os
import signal
import time

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.processes.timers import BEAT_EVERY
from orchestrator.store.database import WORKER_DEAD_AFTER
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import until_each_works
from tests.acceptance.processes import Child
from tests.acceptance.recovery import held, recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until

MANY = 30
NOT_CREATED = {State.ACCEPTED, State.CREATING, State.UNCERTAIN}
BIG = 400_000  # bytes


def test_what_it_held_is_done_by_others_and_its_late_writes_are_refused(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet = deploy(sandbox)
    fleet.start_all(workers=2)
    both = list(Updates)
    sandbox.faults(hold="content")  # whatever hand-off is begun is under way
    jobs = fleet.database.submit(
        *(wanted(updates=both[n % 2], duration=0.2, content_bytes=BIG) for n in range(MANY))
    )
    # Not in the middle of a create: one that was cut off may have made nothing, and waits for a person.
    until("all are created", lambda: not {job.state for job in fleet.database.jobs()} & NOT_CREATED)
    paused = until("one holds several hand-offs", lambda: _with_several_hand_offs(fleet))
    assert paused is not None
    os.kill(paused.pid, signal.SIGSTOP)
    stopped = time.time()
    sandbox.heal()
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

    os.kill(paused.pid, signal.SIGCONT)
    more = until_each_works(fleet, paused)
    assert {file: file.stat().st_ino for file in seen} == seen, "a file was written again"
    until("nothing half is left", lambda: not [one for one in fleet.files() if one.name.startswith(".")])
    assert_delivered_once(fleet, sandbox, [*jobs, *more])


def _with_several_hand_offs(fleet: Fleet) -> Child | None:
    return next((run for run in fleet.of("worker") if len(held(fleet, run)) >= 3), None)
