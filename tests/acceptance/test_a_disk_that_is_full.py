"""The folder of results has no room for a video: the job is kept, nothing half is shown, space heals it."""

import hashlib
import resource
import subprocess
from pathlib import Path

import pytest

from orchestrator.core.job import HandOff, HandOffState
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once, assert_made_once
from tests.acceptance.waiting import until

MIB = 1024 * 1024
BIG = 4 * MIB
FILLER = ".filler"
OWN_MOUNTS = ["unshare", "--mount", "--user", "--map-root-user"]
# A file system that only the orchestrator sees, most of it taken; it is gone when the process is.
MOUNT = f'mount -t tmpfs -o size=6m tmpfs "$0" && head -c 3145728 /dev/zero > "$0/{FILLER}" && exec "$@"'
MAY_MOUNT = subprocess.run([*OWN_MOUNTS, "true"], check=False, capture_output=True).returncode == 0


def test_a_file_larger_than_may_be_written(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    process = orchestrator.start()
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (2 * MIB, hard))
    (job,) = orchestrator.database.submit(wanted(duration=0.1, content_bytes=BIG))
    _fails(orchestrator, job, "the file is larger than is allowed there (EFBIG)")
    assert orchestrator.files() == set()

    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    orchestrator.database.wait([job])
    assert_delivered_once(orchestrator, sandbox, [job])


# Where no mount is allowed, the limit above stands for a full disk.
@pytest.mark.parametrize("prefix", [OWN_MOUNTS] if MAY_MOUNT else [])
def test_a_folder_without_space(prefix: list[str], begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.outputs.mkdir()
    process = orchestrator.start(inside=[*prefix, "sh", "-c", MOUNT, str(orchestrator.outputs)])
    there = Path(f"/proc/{process.pid}/root{orchestrator.outputs}")
    (job,) = orchestrator.database.submit(wanted(duration=0.1, content_bytes=BIG))
    _fails(orchestrator, job, "the disk is full (ENOSPC)")
    assert [file.name for file in there.iterdir()] == [FILLER]

    (there / FILLER).unlink()
    orchestrator.database.wait([job])
    (owed,) = orchestrator.database.owed(job)
    assert owed.bytes == BIG
    assert hashlib.sha256((there / f"{job}-0.mp4").read_bytes()).hexdigest() == owed.sha256
    assert [file.name for file in there.iterdir()] == [f"{job}-0.mp4"]
    assert_made_once(sandbox, job, orchestrator.database.job(job).gateway_id)


def _fails(orchestrator: Orchestrator, job: str, why: str) -> None:
    """Two attempts fail for this reason; the job stays completed and owed."""

    def tried_twice() -> HandOff | None:
        owed = next(iter(orchestrator.database.owed(job)), None)
        return owed if owed and owed.attempts >= 2 and owed.leased_by is None else None

    owed = until("two attempts failed", tried_twice)
    assert owed is not None
    assert owed.state is HandOffState.OWED
    assert why in (owed.last_error or "")
    assert why in orchestrator.told("hand_off_failed", job=job)[0]["error"]
    assert orchestrator.database.job(job).state is State.COMPLETED
