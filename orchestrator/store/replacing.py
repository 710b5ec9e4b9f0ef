"""Whoever replaces the signing secret of an account does so alone, for longer than a transaction lasts."""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager

from orchestrator.errors import StoreError
from orchestrator.store.database import Store, sqlite_path

_REPLACING = 0x5EC4E7  # keeps apart from other advisory locks, such as that of migrations


@contextmanager
def alone(store: Store, account: str) -> Iterator[bool]:
    """Whether nobody else does it now; if so, nobody does until the end, or the death of this process."""
    path = sqlite_path(store.url)
    if path is None:
        with _in_session(store, account) as mine:
            yield mine
        return
    try:
        # Of the folder: opening the database once more and closing it would give back SQLite's own locks.
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(
            f"the database's folder {path.parent} cannot be used: {error.strerror}",
            hint="point ORCHESTRATOR_DATA_DIR at a folder that exists and that this user may write",
        ) from error
    try:
        yield _taken(folder)
    finally:
        os.close(folder)


def _taken(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _in_session(store: Store, account: str) -> Iterator[bool]:
    """A lock of the session: a transaction that waits for the gateway would be ended by its time-outs."""
    with store.read():  # raises StoreError where the database is away
        pass
    key = (_REPLACING, zlib.crc32(account.encode()) - 2**31)
    with closing(store.engine.raw_connection()) as session, closing(session.cursor()) as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        (mine,) = cursor.fetchone() or (False,)
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
