"""The operating system's errors in words: what happened, and what a person does about it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath

from orchestrator.errors import DestinationError

RIGHTS = "give the user that runs the orchestrator the right to read and write there"
WORDS = {
    errno.ENOSPC: ("the disk is full", "free some space there"),
    errno.EDQUOT: ("the disk quota is used up", "free some space there, or raise the quota"),
    errno.EFBIG: ("the file is larger than is allowed there", "raise the limit (ulimit -f)"),
    errno.EACCES: ("permission denied", RIGHTS),
    errno.EPERM: ("not permitted", RIGHTS),
    errno.EROFS: ("the file system is read-only", "mount it writable, or choose another folder"),
    errno.ENOENT: (
        "the folder is not there",
        "mount or create it; `orchestrator check --destinations` creates it too",
    ),
    errno.ENOTDIR: ("something that is not a folder is in the way", "move it away, or choose another folder"),
    errno.EEXIST: ("something with that name is in the way", "move it away"),
    errno.EISDIR: ("a folder with that name is in the way", "move it away"),
    errno.ELOOP: ("a symbolic link with that name is in the way", "move it away"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a folder with a shorter path"),
    errno.EMFILE: ("too many files are open", "raise the limit of open files (ulimit -n)"),
    errno.EIO: ("the disk reports an error", "look at the system log: the disk may be failing"),
    errno.ESTALE: ("the network file system has lost the folder", "mount it again"),
}
OTHER = "look at the system log"


def destination_error(error: OSError, doing: str, path: str | PathLike[str]) -> DestinationError:
    """The same error, for a person: `cannot <doing> <path>: <why>`; worth trying again, all of them."""
    words, hint = WORDS.get(error.errno or 0, (error.strerror or str(error), OTHER))
    code = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return DestinationError(f"cannot {doing} {fspath(path)}: {words} ({code})", hint=hint)


@contextmanager
def translated(doing: str, path: str | PathLike[str]) -> Iterator[None]:
    """Raise DestinationError in place of any OSError of the block."""
    try:
        yield
    except OSError as error:
        raise destination_error(error, doing, path) from error
