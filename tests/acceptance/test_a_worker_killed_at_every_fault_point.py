"""Workers die at each fault point, those of a queue at once; the one that is left goes on for all of them."""

import time
from itertools import count
from typing import Any

import pytest

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.engine.resolve import resubmit
from orchestrator.fault_points import FaultPoint
from orchestrator.store.database import WORKER_DEAD_AFTER
from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.processes import Child
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

# A worker that serves one queue alone reaches its point soon, and has nothing else under way when it dies.
POINTS = {
    "create": [
        FaultPoint.CREATE_CLAIMED,
        FaultPoint.CREATE_ANSWERED,
        FaultPoint.CREATE_COMMITTED,
        FaultPoint.OBSERVE_MOVED,
    ],
    "look": [
        FaultPoint.LOOK_CLAIMED,
        FaultPoint.LOOK_ANSWERED,
        FaultPoint.LOOK_COMMITTED,
        FaultPoint.OBSERVE_MOVED,
    ],
    "hand_off": [
        FaultPoint.HAND_OFF_CLAIMED,
        FaultPoint.ARCHIVING_STAGED,
        FaultPoint.DELIVERING_STAGED,
        FaultPoint.HAND_OFF_PUBLISHED,
        FaultPoint.HAND_OFF_COMMITTED,
    ],
}
AFTERWARDS = 90.0  # seconds for the work itself, on a machine busy with other tests


@pytest.mark.parametrize("queue", POINTS)
def test_the_other_worker_goes_on_without_any_restart(queue: str, deploy: Deploy, sandbox: Sandbox) -> None:
    points = POINTS[queue]
    fleet = deploy(sandbox, uncertain_wait_seconds=2)
    own: dict[str, Any] = {"queues": queue, "create_threads": 1, "hand_off_threads": 1}
    fleet.database.jobs()
    doomed = {point: fleet.launch("worker", fault_point=point, **own) for point in points}
    fleet.ready(*doomed.values(), *(fleet.launch(role) for role in ("web", "beat", "worker")))
    jobs = _submit_until_all_died(fleet, doomed)
    died = time.time()
    if FaultPoint.CREATE_CLAIMED in doomed:
        _resubmit_what_is_left_to_a_person(fleet, sandbox)

    beyond = recovered(
        f"workers killed at each of {len(points)} points of {queue}",
        fleet,
        sandbox,
        jobs,
        since=died,
        untold=points.count(FaultPoint.HAND_OFF_COMMITTED),
    )
    assert beyond < WORKER_DEAD_AFTER + AFTERWARDS
    assert not [job for job in fleet.database.jobs() if job.needs_person]


def _submit_until_all_died(fleet: Fleet, doomed: dict[FaultPoint, Child]) -> list[str]:
    """A job every moment: each worker takes some of them, and so comes to its point."""
    jobs: list[str] = []
    both = list(Updates)
    number = count()

    def submit_one() -> bool:
        jobs.extend(fleet.database.submit(wanted(updates=both[next(number) % 2], duration=0.3)))
        return not any(run.alive for run in doomed.values())

    until("each has died", submit_one, 120, every=0.1)
    for point, run in doomed.items():
        fleet.dies_at(run, point)
    return jobs


def _resubmit_what_is_left_to_a_person(fleet: Fleet, sandbox: Sandbox) -> None:
    """Killed before its call, so nobody can know that nothing was sent: it is never sent again unasked.

    There may be two: a worker's messages and its own looking around have a thread each.
    """
    resubmitted: set[str] = set()

    def none_is_unsure() -> bool:
        jobs = fleet.database.jobs()
        for job in [one for one in jobs if one.needs_person]:
            assert sandbox.truth(job.id) == []
            resubmit(fleet.database.context, job.id)
            resubmitted.add(job.id)
        return bool(resubmitted) and not any(one.state in (State.CREATING, State.UNCERTAIN) for one in jobs)

    until("what is left to a person is asked for again", none_is_unsure, 120)
