"""The folder archive keeps every archive's promise, and those that only a folder makes."""

import errno
import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.archive.folder import FolderArchive
from orchestrator.errors import DestinationError
from tests.integration.archive.conformance import (
    ABSENT,
    AGES_HENCE,
    LARGE,
    NAME,
    ArchiveConformance,
    Damage,
    ReadBack,
    Unfinished,
    keep,
    sha256_of,
    whole,
)
from tests.integration.archive.keeping_process import chunks

ROOT = Path(__file__).parents[3]
PROGRAM = [sys.executable, "-m", "tests.integration.archive.keeping_process"]
SHA256 = sha256_of(b"x")


def place(folder: Path, sha256: str) -> Path:
    return folder / sha256[:2] / sha256


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def open_files() -> set[str]:
    return {f"{path.name} {path.readlink()}" for path in Path("/proc/self/fd").iterdir() if path.exists()}


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)


@pytest.fixture(params=["hard links", "no hard links"])
def archive(request: pytest.FixtureRequest, folder: Path) -> FolderArchive:
    if request.param == "no hard links":
        request.getfixturevalue("without_links")
    return FolderArchive(folder)


@pytest.fixture
def another(folder: Path) -> FolderArchive:
    return FolderArchive(folder)


@pytest.fixture
def read_back(folder: Path) -> ReadBack:
    def read(sha256: str) -> bytes | None:
        path = place(folder, sha256)
        return path.read_bytes() if path.exists() else None

    return read


@pytest.fixture
def damage(folder: Path) -> Damage:
    def change(sha256: str, content: bytes | None) -> None:
        if content is None:
            place(folder, sha256).unlink()
        else:
            place(folder, sha256).write_bytes(content)

    return change


@pytest.fixture
def unfinished(folder: Path) -> Unfinished:
    return lambda: len(list((folder / ".unfinished").iterdir())) if folder.exists() else 0


class TestFolderArchive(ArchiveConformance):
    pass


def test_a_file_lies_under_its_hash_and_an_unfinished_one_aside(
    folder_archive: FolderArchive, folder: Path
) -> None:
    keeping = folder_archive.begin(NAME, 7)
    keeping.write(b"x")
    assert files(folder) == [f".unfinished/.{NAME}.7.part"]
    keeping.keep()
    assert files(folder) == [f"{SHA256[:2]}/{SHA256}"]


def test_a_relative_folder_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = FolderArchive(Path(folder.name))
    monkeypatch.chdir("/")
    keep(archive, b"x")
    assert files(folder) == [f"{SHA256[:2]}/{SHA256}"]


def test_whoever_reads_a_file_that_is_replaced_or_removed_reads_on(
    folder_archive: FolderArchive, folder: Path
) -> None:
    kept = keep(folder_archive, LARGE)
    reading = folder_archive.read(kept.sha256)
    first = next(reading)
    folder_archive.remove(kept.sha256)
    keep(folder_archive, LARGE)
    assert first + b"".join(reading) == LARGE


def test_a_file_cut_off_while_it_is_read_is_damage(folder_archive: FolderArchive, folder: Path) -> None:
    kept = keep(folder_archive, LARGE)
    reading = folder_archive.read(kept.sha256)
    next(reading)
    os.truncate(place(folder, kept.sha256), len(LARGE) - 1)
    with pytest.raises(Exception, match="was cut off while it was read"):
        list(reading)


def test_a_reader_that_leaves_closes_the_file(folder_archive: FolderArchive) -> None:
    kept = keep(folder_archive, LARGE)
    before = open_files()
    reading = folder_archive.read(kept.sha256)
    unread = folder_archive.read(kept.sha256)
    next(reading)
    reading.close()
    del unread
    assert open_files() == before


def test_one_file_costs_three_syncs_the_first_time_and_two_from_then_on(
    folder_archive: FolderArchive, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_archive.check()
    synced: list[str] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    for expected in ([f".{NAME}.1.part", folder.name, SHA256[:2]], [f".{NAME}.1.part", SHA256[:2]]):
        synced.clear()
        keep(folder_archive, b"x", name=NAME)
        assert synced == expected


def test_content_that_is_there_is_not_written_again(folder_archive: FolderArchive, folder: Path) -> None:
    keep(folder_archive, b"x")
    before = place(folder, SHA256).stat().st_ino
    keep(folder_archive, b"x")
    assert place(folder, SHA256).stat().st_ino == before


@pytest.mark.parametrize("put", [lambda path: path.symlink_to("/etc/passwd"), lambda path: path.mkdir()])
def test_what_is_no_file_is_neither_followed_nor_replaced(
    folder_archive: FolderArchive, folder: Path, put: Callable[[Path], None]
) -> None:
    place(folder, SHA256).parent.mkdir(parents=True)
    put(place(folder, SHA256))
    assert folder_archive.has(SHA256) is None
    with pytest.raises(DestinationError, match="in the way"):
        folder_archive.read(SHA256)
    with pytest.raises(DestinationError, match="in the way"):
        keep(folder_archive, b"x")


def test_only_what_is_old_and_unfinished_is_tidied_away(folder_archive: FolderArchive, folder: Path) -> None:
    old, young = folder_archive.begin("old", 1), folder_archive.begin("young", 1)
    (folder / ".unfinished" / "notes").touch()
    for name in (".old.1.part", "notes"):
        os.utime(folder / ".unfinished" / name, (1000, 1000))
    assert folder_archive.tidy(1000.0) == 0
    assert folder_archive.tidy(1001.0) == 1
    assert files(folder) == [".unfinished/.young.1.part", ".unfinished/notes"]
    old.discard()
    young.discard()


def test_an_overtaken_attempt_says_so(folder_archive: FolderArchive) -> None:
    older = folder_archive.begin(NAME, 1)
    older.write(b"x")
    newer = folder_archive.begin(NAME, 2)
    with pytest.raises(DestinationError, match="temporary file is gone") as raised:
        older.keep()
    assert "newer attempt" in raised.value.hint
    assert raised.value.retry.again
    assert folder_archive.has(SHA256) is None
    newer.discard()


def test_a_folder_that_vanished_is_made_again(folder_archive: FolderArchive, folder: Path) -> None:
    keep(folder_archive, b"x")
    subprocess.run(["rm", "-r", str(folder)], check=True)
    assert folder_archive.has(SHA256) is None
    keep(folder_archive, b"x")
    assert whole(folder_archive, SHA256) == b"x"


def test_of_a_folder_that_is_away_with_its_disk_nothing_is_said_and_it_is_not_made(tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path / "disk" / "archive")
    for use in (lambda: archive.begin(NAME, 1), lambda: archive.has(ABSENT), lambda: archive.read(ABSENT)):
        with pytest.raises(DestinationError, match="the folder is not there") as raised:
            use()
        assert raised.value.retry.again
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["fsync", "link"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.ESTALE])
def test_trouble_while_keeping_is_told_in_words_and_leaves_nothing(
    folder_archive: FolderArchive, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    keeping = folder_archive.begin(NAME, 1)
    keeping.write(b"x")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(DestinationError, match=errno.errorcode[code]) as raised:
        keeping.keep()
    assert raised.value.hint
    assert files(folder) == []


def test_a_disk_that_fills_up_leaves_nothing(
    folder_archive: FolderArchive, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    keeping = folder_archive.begin(NAME, 1)
    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(DestinationError, match="the disk is full"):
        keeping.write(b"x")
    monkeypatch.undo()
    assert files(folder) == []


def test_killed_at_any_moment_each_content_is_absent_or_whole(
    folder_archive: FolderArchive, folder: Path
) -> None:
    chance = random.Random(4)
    for attempt in range(1, 11):
        command = [*PROGRAM, str(folder), NAME, str(attempt), str(attempt)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 12)):
                last = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            last = max([last, *map(int, process.stdout.read().split())])
        for number in range(last):
            content = b"".join(chunks(attempt, number))
            assert whole(folder_archive, sha256_of(content)) == content
    for path in folder.rglob("*"):
        if path.is_file() and path.parent.name != ".unfinished":
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    keep(folder_archive, b"x", name=NAME, attempt=11)
    assert list((folder / ".unfinished").iterdir()) == []
    assert folder_archive.tidy(AGES_HENCE) == 0
