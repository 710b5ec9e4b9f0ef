"""The folder of results, shared by two workers, has no room: hand-offs wait for it, all other work flows."""

import hashlib
import time

import pytest

from orchestrator.core.job import HandOffState, Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Deploy, FullDisk
from tests.acceptance.database import wanted
from tests.acceptance.disks import BIG, KINDS
from tests.acceptance.fleet import Fleet
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_made_once
from tests.acceptance.waiting import until

MANY = 20


@pytest.mark.parametrize("kind", list(KINDS)[:1])  # either shows it
def test_files_wait_for_room(kind: str, deploy: Deploy, sandbox: Sandbox, full_disk: FullDisk) -> None:
    fleet = deploy(sandbox, hand_off_first_retry_seconds=0.5)
    disk = full_disk(kind, fleet.outputs)
    fleet.database.jobs()
    fleet.ready(*(fleet.launch(role, inside=disk.inside) for role in ("worker", "worker", "web", "beat")))
    disk.fill(*fleet.of("worker"))
    jobs = _all_end_and_none_is_handed_off(fleet, disk.why)
    # Attempts come again and again: what one writes is there until it fails.
    until("nothing half is left", lambda: not list(disk.there.iterdir()), 60)

    disk.make_room(*fleet.of("worker"))
    room = time.time()
    name = f"the disk ({kind}) of the results is full"
    recovered(name, fleet, sandbox, jobs, since=room, files=False)  # they are seen from inside only
    for job in jobs:
        (owed,) = fleet.database.owed(job)
        assert hashlib.sha256((disk.there / f"{job}-0.mp4").read_bytes()).hexdigest() == owed.sha256
        assert_made_once(sandbox, job, fleet.database.job(job).gateway_id)
    assert len(list(disk.there.iterdir())) == len(jobs)
    assert set(fleet.handed_off().values()) == {1}


def _all_end_and_none_is_handed_off(fleet: Fleet, why: str) -> list[str]:
    """Creates, webhooks and looks go on without the disk; every attempt at a file says what is wrong."""
    both = list(Updates)
    jobs = fleet.database.submit(
        *(wanted(updates=both[n % 2], duration=0.1, content_bytes=BIG) for n in range(MANY))
    )
    until("all are completed", lambda: {job.state for job in fleet.database.jobs()} == {State.COMPLETED}, 60)
    until(
        "an attempt failed",
        lambda: [one for one in fleet.events("hand_off_failed") if why in one["error"]],
        60,
    )
    owed = [one for some in fleet.database.everything_owed().values() for one in some]
    assert {one.state for one in owed} == {HandOffState.OWED}
    until("no attempt is under way", lambda: _idle(fleet), 60)
    return jobs


def _idle(fleet: Fleet) -> bool:
    """Whether nothing is being written at this moment; attempts come again and again."""
    owed = [one for some in fleet.database.everything_owed().values() for one in some]
    return all(one.leased_by is None for one in owed)
