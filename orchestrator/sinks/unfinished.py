"""One attempt at one file of a folder: its temporary file, from the first byte until it has its name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.errors import DestinationError
from orchestrator.sinks.directory import create_part, part_name, write_all
from orchestrator.sinks.os_errors import destination_error, translated


class Unfinished:
    """Written, hashed and counted; it holds its folder open, so renaming the folder does not tear it apart.

    `path` is what errors call it.
    """

    def __init__(self, path: Path, directory: int, name: str, attempt: int) -> None:
        """Take over the open folder, and remove what earlier attempts at `name` left. Raises OSError."""
        self._path = path
        self._part = part_name(name, attempt)
        self._directory = directory
        self._open = False
        self._bytes = 0
        self._sha256 = hashlib.sha256()
        try:
            self._file = create_part(directory, name, attempt)
        except OSError:
            os.close(directory)
            raise
        self._open = True

    def write(self, chunk: bytes) -> None:
        """Add bytes; if that fails nothing of the attempt stays."""
        self._require_open()
        try:
            write_all(self._file, chunk)
        except OSError as error:
            self.discard()
            raise destination_error(error, "write", self._path) from error
        self._sha256.update(chunk)
        self._bytes += len(chunk)

    def sha256(self) -> str:
        """The hash of what was written so far."""
        return self._sha256.hexdigest()

    def discard(self) -> None:
        """Remove the temporary file, if it is still there, and close."""
        if self._open:
            self._open = False
            self._remove_part()
            for descriptor in (self._file, self._directory):
                with suppress(OSError):  # synced before if it was published, and of no use if not
                    os.close(descriptor)

    @contextmanager
    def _last_step(self, doing: str) -> Iterator[None]:
        """However the block ends, the attempt is over."""
        self._require_open()
        try:
            with translated(doing, self._path):
                yield
        finally:
            self.discard()

    def _remove_part(self) -> None:
        with suppress(OSError):  # what cannot be removed now, the next attempt or the next look removes
            os.unlink(self._part, dir_fd=self._directory)

    def _gone(self, doing: str) -> DestinationError:
        return DestinationError(
            f"cannot {doing} {self._path}: its temporary file is gone",
            hint="a newer attempt has taken over, or somebody removed the folder; it is tried again",
        )

    def _require_open(self) -> None:
        if not self._open:
            raise DestinationError(f"cannot write {self._path}: this attempt is over", hint="begin a new one")
