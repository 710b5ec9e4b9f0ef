"""Results as files in a folder: written beside their place, then shown under their name in one step.

An attempt writes `.NAME.ATTEMPT.part`, syncs it, links it to `NAME` (a link never overwrites), unlinks the
temporary name, and syncs the folder. Killed at any point, `NAME` is absent or whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, field_validator

from orchestrator.errors import NEVER, DestinationError
from orchestrator.sinks.base import Delivered, Parcel, SinkOptions, Tools
from orchestrator.sinks.directory import (
    attempts_left,
    closing,
    create_part,
    make_directory,
    open_directory,
    part_name,
    probe,
    read_back,
    remove,
    show,
    sync_directory,
    write_all,
)
from orchestrator.sinks.os_errors import destination_error, translated

SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")  # a part's name stays within 255 bytes


class FolderSink:
    """A folder as destination; processes may share it. Give an absolute path: locations are told with it."""

    takes_files: ClassVar[bool] = True

    class Options(SinkOptions):
        """A folder of this machine, or one that it has mounted."""

        path: Path = Field(description="Absolute path of the folder; it is made if it is absent.")

        @field_validator("path")
        @classmethod
        def _absolute(cls, value: Path) -> Path:
            if not value.is_absolute():
                raise ValueError("is not an absolute path: processes may be started elsewhere")
            return value

    @classmethod
    def build(cls, options: Options, tools: Tools) -> Self:
        """The folder that the options name."""
        return cls(options.path)

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def find(self, parcel: Parcel) -> Delivered | None:
        """What is there under this name, read again; what killed attempts at it left is removed."""
        name, path = parcel.name, self._path(parcel.name)
        with translated("read", path):
            try:
                directory = open_directory(self._folder)
            except FileNotFoundError:
                return None
            with closing(directory):
                found = read_back(directory, path)
                if found is not None:
                    remove(directory, [part_name(name, left) for left in attempts_left(directory, name)])
                return found

    def stage(self, parcel: Parcel, attempt: int) -> FolderStaging:
        """Begin an attempt. A folder that has vanished is made again if the one above it is still there."""
        name, path = parcel.name, self._path(parcel.name)
        part = part_name(name, attempt)
        with translated("write", self._folder / part):
            directory = self._open_or_make()
            try:
                file = create_part(directory, name, attempt)
            except OSError:
                os.close(directory)
                raise
        return FolderStaging(path, part, directory, file)

    def check(self) -> None:
        """Make the folder if it is absent, with those above it; write a file there and remove it."""
        with translated("write into the folder", self._folder):
            absent = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
            for folder in reversed(absent):
                make_directory(folder)
            with closing(open_directory(self._folder)) as directory:
                probe(directory)

    def close(self) -> None:
        """Nothing is held between attempts."""

    def _path(self, name: str) -> Path:
        if not SAFE_NAME.fullmatch(name):
            raise DestinationError(
                f"{name!r} cannot be the name of a file in {self._folder}",
                hint="a name is up to 200 letters, digits, `_`, `-` and `.`, the first of them no `-` or `.`",
                retry=NEVER,
            )
        return self._folder / name

    def _open_or_make(self) -> int:
        try:
            return open_directory(self._folder)
        except FileNotFoundError:
            # Only this one: if those above are gone too, a disk was unmounted; its place is not to be filled.
            make_directory(self._folder)
            return open_directory(self._folder)


class FolderStaging:
    """One attempt at one file; it holds the folder open, so renaming the folder does not tear it apart."""

    def __init__(self, path: Path, part: str, directory: int, file: int) -> None:
        self._path = path
        self._part = part
        self._directory = directory
        self._file = file
        self._open = True
        self._bytes = 0
        self._sha256 = hashlib.sha256()
        self._delivered: Delivered | None = None

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

    def publish(self) -> Delivered:
        """Show the file under its name, once it is safe on the disk; the first to do so stays."""
        if self._delivered is None:
            self._require_open()
            try:
                with translated("publish", self._path):
                    self._delivered = self._publish()
            finally:
                self.discard()
        return self._delivered

    def discard(self) -> None:
        """Remove the temporary file, if it is still there, and close."""
        if self._open:
            self._open = False
            self._remove_part()
            for descriptor in (self._file, self._directory):
                with suppress(OSError):  # synced before if it was published, and of no use if not
                    os.close(descriptor)

    def _publish(self) -> Delivered:
        os.fsync(self._file)
        if show(self._directory, self._part, self._path.name):
            self._remove_part()
            sync_directory(self._directory)
            return Delivered(str(self._path), self._bytes, self.sha256())
        first = read_back(self._directory, self._path)
        if first is None:
            raise DestinationError(
                f"cannot publish {self._path}: its temporary file is gone",
                hint="a newer attempt has taken over, or somebody removed the folder; it is tried again",
            )
        return first

    def _remove_part(self) -> None:
        with suppress(OSError):  # what cannot be removed now, the next attempt or the next `find` removes
            os.unlink(self._part, dir_fd=self._directory)

    def _require_open(self) -> None:
        if not self._open:
            raise DestinationError(f"cannot write {self._path}: this attempt is over", hint="begin a new one")
