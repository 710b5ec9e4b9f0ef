"""One orchestrator per database file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import StoreError


@dataclass(frozen=True, slots=True)
class Hold:
    """A database held for this process, and the files that it is held by."""

    files: dict[Path, int]

    def intact(self) -> bool:
        """Whether these files are still where they were; if not, another process can hold the place too."""
        return all(_inode(path) == inode for path, inode in self.files.items())


def hold(database: Path) -> Hold:
    """What to watch while the database is held."""
    real = database.resolve()
    return Hold({path: inode for path in (real, _lock_file(real)) if (inode := _inode(path)) is not None})


def _lock_file(database: Path) -> Path:
    # Of the real file: a link to it must not be a second place to hold it by.
    real = database.resolve()
    return real.with_name(real.name + ".lock")


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


@contextmanager
def exclusive(database: Path) -> Iterator[None]:
    """Hold the database file for this process alone. Raises StoreError naming the process that has it.

    The kernel gives the lock back when the process dies, however it dies.
    """
    path = _lock_file(database)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"the database's folder {path.parent} cannot be used: {error.strerror}",
            hint="point ORCHESTRATOR_DATA_DIR at a folder that exists and that this user may write",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise StoreError(
                f"another orchestrator (process {holder}) is running on {database}",
                hint="submit to that one, stop it, or point ORCHESTRATOR_DATA_DIR elsewhere",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
