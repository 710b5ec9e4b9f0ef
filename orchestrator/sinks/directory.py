"""What the file system is asked to do for folders of results; a folder is given as an open descriptor."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.sinks.base import Delivered

PROBE = ".check.probe"
PART = re.compile(r"\..+\.[0-9]+\.part")
FEW = 64  # so many unlinks cost less than listing a big folder
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.EOPNOTSUPP})


def open_directory(folder: Path) -> int:
    """A descriptor of the folder; close it."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """Close the descriptor at the end of the block."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_directory(directory: int) -> None:
    """Make the names in the folder last."""
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in NO_FOLDER_SYNC:  # some network file systems have no such thing
            raise


def make_directory(folder: Path) -> None:
    """Make one folder if it is absent, and its name last: files in it would be lost with it."""
    with suppress(FileExistsError):
        folder.mkdir()
    with closing(open_directory(folder.parent)) as above:
        sync_directory(above)


def make_directories(folder: Path) -> None:
    """Make the folder, and those above it that are absent."""
    absent = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(absent):
        make_directory(one)


def open_or_make(folder: Path) -> int:
    """A descriptor of the folder, which is made if it alone is absent; close it."""
    try:
        return open_directory(folder)
    except FileNotFoundError:
        # Only this one: if those above are gone too, a disk was unmounted; its place is not to be filled.
        make_directory(folder)
        return open_directory(folder)


def probe(directory: int) -> None:
    """Write and remove a small file. Two checks at once share it, so either may find it gone."""
    with closing(os.open(PROBE, NEW_FILE, 0o666, dir_fd=directory)) as file:
        os.write(file, b"can this be written?\n")
        os.fsync(file)  # some file systems notice only now that they are full
    remove(directory, [PROBE])


def part_name(name: str, attempt: int) -> str:
    """The temporary name of one attempt; names have no leading dot, so it is nobody's final name."""
    return f".{name}.{attempt}.part"


def create_part(directory: int, name: str, attempt: int) -> int:
    """Remove what earlier attempts left and open this one's part; raises OSError if the number was used."""
    if attempt <= FEW:
        older = [part_name(name, number) for number in range(attempt)]
    else:
        older = [part_name(name, number) for number in attempts_left(directory, name) if number < attempt]
    remove(directory, older)
    return os.open(part_name(name, attempt), NEW_FILE | os.O_EXCL, 0o666, dir_fd=directory)


def attempts_left(directory: int, name: str) -> list[int]:
    """The numbers of the attempts at this name whose parts are in the folder now."""
    shape = re.compile(re.escape(f".{name}.") + r"([0-9]+)\.part")
    with os.scandir(directory) as entries:
        return [int(found[1]) for entry in entries if (found := shape.fullmatch(entry.name))]


def parts_before(directory: int, moment: float) -> list[str]:
    """The parts of whatever attempts that were last written before that epoch second."""
    with os.scandir(directory) as entries:
        found = [entry for entry in entries if PART.fullmatch(entry.name)]
        return [one.name for one in found if _last_written(one) < moment]


def _last_written(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return math.inf  # its attempt has just ended


def remove(directory: int, names: Iterable[str]) -> None:
    """Remove those of the names that are there."""
    for name in names:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)


def write_all(file: int, chunk: bytes) -> None:
    """Write the whole chunk or raise OSError."""
    written = os.write(file, chunk)
    while written < len(chunk):  # a disk that fills up takes some first, and refuses the rest
        written += os.write(file, memoryview(chunk)[written:])


def show(directory: int, part: str, name: str) -> bool:
    """Give the part its name; False if the name is taken, or the part was removed by a newer attempt."""
    try:
        os.link(part, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return _show_without_links(directory, part, name)
    return True


def _show_without_links(directory: int, part: str, name: str) -> bool:
    """The same by look and rename, under a lock that dies with its holder.

    Where the lock does not reach (machines that share a network folder without links) two attempts that
    look within the same instant both succeed: the later replaces the earlier, each of them whole.
    """
    with suppress(OSError):
        fcntl.flock(directory, fcntl.LOCK_EX)  # released when the attempt closes the folder
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return _rename(directory, part, name)
    return False


def _rename(directory: int, part: str, name: str) -> bool:
    try:
        os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
    except FileNotFoundError:
        return False
    return True


def read_back(directory: int, path: Path) -> Delivered | None:
    """What is published at this path in the folder, made as durable as if we had published it."""
    try:
        # Without O_NONBLOCK a named pipe of that name would hold us forever.
        descriptor = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except FileNotFoundError:
        return None
    with closing(descriptor):
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileExistsError(errno.EEXIST, "not a file")
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            digest = hashlib.file_digest(file, "sha256")
            size = file.tell()
    sync_directory(directory)  # whoever published it may have been killed just before
    return Delivered(str(path), size, digest.hexdigest())
