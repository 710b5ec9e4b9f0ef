"""One orchestrator per database file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import StoreError


@contextmanager
def exclusive(database: Path) -> Iterator[None]:
    """Hold the database file for this process alone. Raises StoreError naming the process that has it.

    The kernel gives the lock back when the process dies, however it dies.
    """
    path = database.with_name(database.name + ".lock")
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
