"""The folder sink keeps every sink's promise, and those that only a folder makes."""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import DestinationError
from orchestrator.sinks.folder import FolderSink
from tests.integration.sinks.conformance import (
    NAME,
    ReadBack,
    SinkConformance,
    deliver,
    fresh_name,
    parcel,
    several,
)


def files(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)


@pytest.fixture(params=["hard links", "no hard links"])
def sink(request: pytest.FixtureRequest, folder: Path) -> FolderSink:
    if request.param == "no hard links":
        request.getfixturevalue("without_links")
    return FolderSink(folder)


@pytest.fixture
def read_back(folder: Path) -> ReadBack:
    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.exists() else None

    return read


class TestFolder(SinkConformance):
    @pytest.fixture(autouse=True)
    def _only_final_names_stay(self, folder: Path) -> Any:
        yield
        assert not folder.exists() or not [name for name in files(folder) if name.startswith(".")]


def test_an_unfinished_file_lies_beside_its_place(folder_sink: FolderSink, folder: Path) -> None:
    staging = folder_sink.stage(parcel(NAME), 7)
    staging.write(b"half")
    assert files(folder) == [f".{NAME}.7.part"]
    assert staging.publish().location == str(folder / NAME)
    assert files(folder) == [NAME]


@pytest.mark.parametrize("attempt", [9, 10_000])
def test_what_dead_attempts_left_is_removed_and_nothing_else(
    folder_sink: FolderSink, folder: Path, attempt: int
) -> None:
    stay = [f".{NAME}.10001.part", f".{NAME}.x.part", ".other.3.part", f"{NAME}.3.part", f".{NAME}.3.4.part"]
    for name in [*stay, f".{NAME}.0.part", f".{NAME}.3.part", f".{NAME}.8.part"]:
        (folder / name).touch()
    folder_sink.stage(parcel(NAME), attempt).discard()
    assert files(folder) == sorted(stay)


def test_finding_a_file_removes_what_attempts_at_it_left(folder_sink: FolderSink, folder: Path) -> None:
    deliver(folder_sink, NAME, 1, b"whole")
    for name in (f".{NAME}.2.part", ".other.2.part"):
        (folder / name).touch()
    folder_sink.find(parcel(NAME))
    assert files(folder) == sorted([NAME, ".other.2.part"])


def test_an_overtaken_attempt_says_so(folder_sink: FolderSink, folder: Path) -> None:
    older = folder_sink.stage(parcel(NAME), 1)
    newer = folder_sink.stage(parcel(NAME), 2)
    with pytest.raises(DestinationError, match="temporary file is gone") as raised:
        older.publish()
    assert "newer attempt" in raised.value.hint
    assert raised.value.retry.again
    newer.publish()
    assert files(folder) == [NAME]


def test_an_attempt_number_is_used_once(folder_sink: FolderSink, folder: Path) -> None:
    first = folder_sink.stage(parcel(NAME), 1)
    with pytest.raises(DestinationError, match=r"job_01-0\.mp4\.1\.part.*EEXIST"):
        folder_sink.stage(parcel(NAME), 1)
    first.write(b"undisturbed")
    first.publish()
    assert (folder / NAME).read_bytes() == b"undisturbed"


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_the_umask_decides_who_may_read(folder_sink: FolderSink, folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        deliver(folder_sink, NAME, 1, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize(
    "place",
    [
        lambda path: path.symlink_to("/etc/passwd"),
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.mkdir(),
        os.mkfifo,
    ],
    ids=["link", "dangling link", "folder", "pipe"],
)
def test_what_is_no_file_of_ours_is_neither_followed_nor_replaced(
    folder_sink: FolderSink, folder: Path, place: Callable[[Path], object]
) -> None:
    place(folder / NAME)
    with pytest.raises(DestinationError, match="in the way"):
        folder_sink.find(parcel(NAME))
    with pytest.raises(DestinationError, match="in the way"):
        deliver(folder_sink, NAME, 1, b"x")
    assert files(folder) == [NAME]


def test_one_file_costs_two_syncs_and_few_calls(
    folder_sink: FolderSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def count(name: str) -> None:
        real = getattr(os, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, counted)

    for name in ("open", "write", "fsync", "link", "unlink", "close", "stat", "scandir", "mkdir", "rename"):
        count(name)
    deliver(folder_sink, NAME, 1, b"x")
    assert calls == [
        *["open", "unlink", "open", "write", "fsync", "link", "unlink", "fsync"],
        *["unlink", "close", "close"],
    ]


def test_what_is_found_is_made_durable_before_it_is_told(
    folder_sink: FolderSink, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / NAME).write_bytes(b"published by an attempt that was killed before it could sync the folder")
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.path.samestat(os.fstat(fd), folder.stat())))
    folder_sink.find(parcel(NAME))
    assert synced == [True]


@pytest.mark.usefixtures("without_links")
def test_without_hard_links_attempts_publish_one_after_the_other(
    folder_sink: FolderSink, folder: Path
) -> None:
    staging = folder_sink.stage(parcel(NAME), 1)
    with ThreadPoolExecutor(1) as pool:
        directory = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            publishing = pool.submit(staging.publish)
            wait([publishing], timeout=0.2)
            assert not publishing.done()
            assert not (folder / NAME).exists()
        finally:
            os.close(directory)
        assert publishing.result() == folder_sink.find(parcel(NAME))


@several
@given(name=st.text(max_size=12) | st.text(alphabet="./\\~a\0\n-", max_size=8))
def test_no_name_reaches_beyond_the_folder(folder_sink: FolderSink, folder: Path, name: str) -> None:
    try:
        deliver(folder_sink, name, 1, b"x")
    except DestinationError:
        return
    assert (folder / name).parent == folder
    assert name in files(folder)


def test_a_folder_that_vanished_is_made_again(folder_sink: FolderSink, folder: Path) -> None:
    folder.rmdir()
    assert folder_sink.find(parcel(NAME)) is None
    deliver(folder_sink, NAME, 1, b"x")
    assert files(folder) == [NAME]


def test_a_folder_that_vanished_with_its_disk_is_not_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "disk" / "results"
    with pytest.raises(DestinationError, match="the folder is not there") as raised:
        FolderSink(folder).stage(parcel(NAME), 1)
    assert "orchestrator check" in raised.value.hint
    assert not folder.parent.exists()


def test_a_folder_that_vanishes_under_an_attempt_is_an_error(folder_sink: FolderSink, folder: Path) -> None:
    staging = folder_sink.stage(parcel(NAME), 1)
    (folder / f".{NAME}.1.part").unlink()
    folder.rmdir()
    staging.write(b"x")
    with pytest.raises(DestinationError, match="temporary file is gone"):
        staging.publish()
    assert not folder.exists()


def test_check_makes_the_folder_and_leaves_it_empty(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    FolderSink(folder).check()
    assert files(folder) == []


def test_check_does_not_mind_another_check(folder_sink: FolderSink, folder: Path) -> None:
    (folder / ".check.probe").touch()
    folder_sink.check()
    assert files(folder) == []


def test_examples_have_names_of_their_own() -> None:
    assert fresh_name() != fresh_name()
