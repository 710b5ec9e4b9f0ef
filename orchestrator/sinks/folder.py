"""Results as files in a folder: written beside their place, then shown under their name in one step.

An attempt writes `.NAME.ATTEMPT.part`, syncs it, links it to `NAME` (a link never overwrites), unlinks the
temporary name, and syncs the folder. Killed at any point, `NAME` is absent or whole.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, field_validator

from orchestrator.sinks.base import Delivered, Parcel, SinkOptions, Tools
from orchestrator.sinks.directory import (
    attempts_left,
    closing,
    make_directories,
    open_directory,
    open_or_make,
    part_name,
    probe,
    read_back,
    remove,
    show,
    sync_directory,
)
from orchestrator.sinks.names import require_safe
from orchestrator.sinks.os_errors import translated
from orchestrator.sinks.unfinished import Unfinished


class FolderSink:
    """A folder as destination; processes may share it. Give an absolute path: locations are told with it."""

    takes_files: ClassVar[bool] = True

    class Options(SinkOptions):
        """A folder of this machine, or one that it has mounted."""

        path: Path = Field(description="Absolute path of the folder; it is created if needed.")

        @field_validator("path")
        @classmethod
        def _absolute(cls, value: Path) -> Path:
            if not value.is_absolute():
                raise ValueError("is not an absolute path: processes may be started elsewhere")
            if "\0" in str(value):
                raise ValueError("has a letter that no path has")
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
        path = self._path(parcel.name)
        with translated("write", self._folder / part_name(parcel.name, attempt)):
            return FolderStaging(path, open_or_make(self._folder), attempt)

    def check(self) -> None:
        """Make the folder if it is absent, with those above it; write a file there and remove it."""
        with translated("write into the folder", self._folder):
            make_directories(self._folder)
            with closing(open_directory(self._folder)) as directory:
                probe(directory)

    def close(self) -> None:
        """Nothing is held between attempts."""

    def _path(self, name: str) -> Path:
        require_safe(name, f"a file in {self._folder}")
        return self._folder / name


class FolderStaging(Unfinished):
    """One attempt at one file of the folder."""

    def __init__(self, path: Path, directory: int, attempt: int) -> None:
        super().__init__(path, directory, path.name, attempt)
        self._delivered: Delivered | None = None

    def publish(self) -> Delivered:
        """Show the file under its name, once it is safe on the disk; the first to do so stays."""
        if self._delivered is None:
            with self._last_step("publish"):
                self._delivered = self._publish()
        return self._delivered

    def _publish(self) -> Delivered:
        os.fsync(self._file)
        if show(self._directory, self._part, self._path.name):
            self._remove_part()
            sync_directory(self._directory)
            return Delivered(str(self._path), self._bytes, self.sha256())
        first = read_back(self._directory, self._path)
        if first is None:
            raise self._gone("publish")
        return first
