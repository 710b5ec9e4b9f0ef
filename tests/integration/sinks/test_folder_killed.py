"""An attempt is killed with SIGKILL at each step; the next one finds or makes one whole file."""

import signal
from pathlib import Path

import pytest

from orchestrator.sinks.folder import FolderSink
from tests.integration.sinks.attempt_process import DEATHS
from tests.integration.sinks.conformance import NAME, assert_is, deliver, parcel
from tests.integration.sinks.conftest import Attempt

PUBLISHED = {"before unlink", "before folder sync", "after publish"}
WITHOUT_LINKS = [death for death in DEATHS if death != "before link"]


@pytest.mark.parametrize(
    ("death", "links"),
    [*((death, []) for death in DEATHS), *((death, ["no-links"]) for death in WITHOUT_LINKS)],
    ids=lambda value: "-".join(value) if isinstance(value, list) else value,
)
def test_a_kill_leaves_no_file_or_a_whole_one(
    folder_sink: FolderSink, folder: Path, attempt: Attempt, death: str, links: list[str]
) -> None:
    killed = attempt("one_that_dies", folder, NAME, 3, death, *links)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    visible = [path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")]
    assert visible == ([b"attempt 3"] if death in PUBLISHED else [])

    found = folder_sink.find(parcel(NAME))
    if found is None:
        found = deliver(folder_sink, NAME, 4, b"attempt 4")
    assert_is(found, b"attempt 3" if death in PUBLISHED else b"attempt 4")
    assert [path.name for path in folder.iterdir()] == [NAME]


@pytest.mark.parametrize("death", DEATHS)
def test_an_attempt_that_does_not_look_first_is_told_of_the_same_file(
    folder_sink: FolderSink, folder: Path, attempt: Attempt, death: str
) -> None:
    assert attempt("one_that_dies", folder, NAME, 3, death).returncode == -signal.SIGKILL
    told = deliver(folder_sink, NAME, 4, b"attempt 4")
    assert_is(told, b"attempt 3" if death in PUBLISHED else b"attempt 4")
    assert [path.name for path in folder.iterdir()] == [NAME]
