"""The folder of results has no room for a video: the job is kept, nothing half is shown, space heals it."""

import hashlib

import pytest

from orchestrator.core.job import HandOff, HandOffState
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin, FullDisk
from tests.acceptance.database import wanted
from tests.acceptance.disks import BIG, KINDS
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_made_once
from tests.acceptance.waiting import until


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_waits_for_room(kind: str, begin: Begin, sandbox: Sandbox, full_disk: FullDisk) -> None:
    orchestrator = begin(sandbox)
    disk = full_disk(kind, orchestrator.outputs)
    process = orchestrator.start(inside=disk.inside)
    disk.fill(process)
    (job,) = orchestrator.database.submit(wanted(duration=0.1, content_bytes=BIG))
    _fails(orchestrator, job, disk.why)
    until("nothing half is left", lambda: not list(disk.there.iterdir()))

    disk.make_room(process)
    orchestrator.database.wait([job])
    (owed,) = orchestrator.database.owed(job)
    assert owed.bytes == BIG
    assert hashlib.sha256((disk.there / f"{job}-0.mp4").read_bytes()).hexdigest() == owed.sha256
    assert [file.name for file in disk.there.iterdir()] == [f"{job}-0.mp4"]
    assert_made_once(sandbox, job, orchestrator.database.job(job).gateway_id)


def _fails(orchestrator: Orchestrator, job: str, why: str) -> None:
    """Two attempts fail for this reason; the job stays completed and owed."""

    def tried_twice() -> HandOff | None:
        owed = orchestrator.database.hand_offs(job)  # a limit of the process keeps it from the archive too
        return next((one for one in owed if one.attempts >= 2 and one.leased_by is None), None)

    owed = until("two attempts failed", tried_twice)
    assert owed is not None
    assert owed.state is HandOffState.OWED
    assert why in (owed.last_error or "")
    assert why in orchestrator.told("hand_off_failed", job=job)[0]["error"]
    assert orchestrator.database.job(job).state is State.COMPLETED
