"""A folder that cannot take what is owed to it: the words, nothing half published, and no waste of memory."""

import errno
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import DestinationError
from orchestrator.sinks.folder import FolderSink
from tests.integration.sinks.conformance import NAME, deliver, parcel
from tests.integration.sinks.conftest import PROGRAM, ROOT, Attempt
from tests.patience import LONG

NOBODY = 65534
MIB = 1 << 20


def in_a_mount_of_its_own(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a shell script that may mount: what it mounts is seen by it alone, and gone with it."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    command = [*unshare, "sh", "-ec", f'attempt() {{ {shlex.join(PROGRAM)} "$@"; }}; {script}', "sh"]
    command += map(str, arguments)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONG, check=False)


def can_mount() -> bool:
    """Whether we may mount; if not, a warning says that the file size limit alone is tested."""
    try:
        able = in_a_mount_of_its_own("mount -t tmpfs none /mnt").returncode == 0
    except OSError:
        able = False
    if not able:
        warnings.warn(
            "no right to mount: a disk that is really full or read-only is not tested", stacklevel=2
        )
    return able


def test_a_file_that_grows_too_large_while_streaming_leaves_nothing(
    folder_sink: FolderSink, folder: Path, attempt: Attempt
) -> None:
    # Not on a chunk's border, so that the last write is taken in part.
    message, hint, again = json.loads(attempt("fill", folder, 8, 3 * MIB + 1000).stdout)
    assert message == f"cannot write {folder / 'big'}: the file is larger than is allowed there (EFBIG)"
    assert "ulimit -f" in hint
    assert again
    assert list(folder.iterdir()) == []
    deliver(folder_sink, "big", 2, b"space again")


@pytest.mark.filterwarnings("default:no right to mount")
def test_a_disk_that_fills_up_while_streaming_leaves_nothing(tmp_path: Path) -> None:
    if not can_mount():
        return
    script = (
        'mount -t tmpfs -o size=2500k none "$1"; attempt fill "$1" 8 0; ls -A "$1"; df --output=used "$1"'
    )
    ran = in_a_mount_of_its_own(script, tmp_path)
    assert ran.returncode == 0, ran.stderr
    error, *listing = ran.stdout.splitlines()
    words = f"cannot write {tmp_path / 'big'}: the disk is full (ENOSPC)"
    assert json.loads(error) == [words, "free some space there", True]
    assert [line.strip() for line in listing] == ["Used", "0"]


@pytest.mark.filterwarnings("default:no right to mount")
def test_a_read_only_file_system_is_named(tmp_path: Path) -> None:
    if not can_mount():
        return
    script = 'mount -t tmpfs -o ro none "$1"; attempt fill "$1" 1 0; attempt check "$1"'
    ran = in_a_mount_of_its_own(script, tmp_path)
    assert ran.returncode == 0, ran.stderr
    errors = [json.loads(line)[0] for line in ran.stdout.splitlines()]
    assert len(errors) == 2
    assert all("the file system is read-only (EROFS)" in error for error in errors)


@pytest.fixture
def foreign_folder() -> Iterator[Path]:
    """A folder that others may look into but not write; pytest's own are closed to others altogether."""
    place = Path(tempfile.mkdtemp(prefix="foreign-"))
    place.chmod(0o555)
    yield place
    place.chmod(0o755)
    shutil.rmtree(place)


def test_a_folder_without_the_right_to_write_is_named(foreign_folder: Path, attempt: Attempt) -> None:
    ran = attempt("check_and_stage", foreign_folder, NOBODY)
    assert ran.returncode == 0, ran.stderr
    check, stage = (json.loads(line) for line in ran.stdout.splitlines())
    assert check[0] == f"cannot write into the folder {foreign_folder}: permission denied (EACCES)"
    assert stage[0] == f"cannot write {foreign_folder / '.a.1.part'}: permission denied (EACCES)"
    assert "the right to read and write" in check[1]


@pytest.mark.parametrize("below", ["", "results", "deep/results"])
def test_a_file_in_the_folders_place_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    sink = FolderSink(tmp_path / "file" / below)
    for use in (sink.check, lambda: sink.stage(parcel(NAME), 1), lambda: sink.find(parcel(NAME))):
        with pytest.raises(DestinationError, match=r"not a folder is in the way \(ENOTDIR\)"):
            use()


@pytest.mark.parametrize("call", ["fsync", "link"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.ENOTCONN])
def test_trouble_while_publishing_is_told_in_words_and_leaves_nothing(
    folder_sink: FolderSink, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    staging = folder_sink.stage(parcel(NAME), 1)
    staging.write(b"x")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(DestinationError) as raised:
        staging.publish()
    assert raised.value.message.startswith(f"cannot publish {folder / NAME}: ")
    assert errno.errorcode[code] in raised.value.message
    assert raised.value.hint
    assert raised.value.retry.again
    assert isinstance(raised.value.__cause__, OSError)
    assert list(folder.iterdir()) == []


def test_a_folder_whose_sync_fails_after_the_file_is_shown_is_found_next_time(
    folder_sink: FolderSink, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, staging = os.fsync, folder_sink.stage(parcel(NAME), 1)

    def fail_on_folders(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail_on_folders)
    with pytest.raises(DestinationError, match="EIO"):
        staging.publish()
    monkeypatch.setattr(os, "fsync", real)
    assert folder_sink.find(parcel(NAME)) is not None
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_a_file_system_that_cannot_sync_folders_will_do(
    folder_sink: FolderSink, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def files_only(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", files_only)
    assert deliver(folder_sink, NAME, 1, b"x") == folder_sink.find(parcel(NAME))


def test_a_long_stream_does_not_grow_the_process(folder: Path, attempt: Attempt) -> None:
    folder.mkdir()
    ran = attempt("measure", folder, 300)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 30 * 1024, "in KiB"
    assert (folder / "big").stat().st_size == 300 * MIB
    (folder / "big").unlink()
