"""The archive as a folder: a file for each content, under its SHA-256 in a folder of the first two digits.

An attempt writes `.unfinished/.NAME.ATTEMPT.part`, syncs it, links it to `ab/abcd…` (a link never
overwrites), unlinks the temporary name, and syncs `ab`. Killed at any point, `ab/abcd…` is absent or whole.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

from orchestrator.archive.base import Kept
from orchestrator.archive.naming import damaged, require_sha256
from orchestrator.sinks.directory import (
    closing,
    make_directories,
    make_directory,
    open_directory,
    open_or_make,
    part_name,
    parts_before,
    probe,
    remove,
    show,
    sync_directory,
)
from orchestrator.sinks.names import require_safe
from orchestrator.sinks.os_errors import translated
from orchestrator.sinks.unfinished import Unfinished

UNFINISHED = ".unfinished"
PIECE = 1 << 20


class FolderArchive:
    """A folder that keeps outputs; processes may share it, and nobody else is to write there."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder).absolute()
        self._lasting: set[Path] = set()  # folders below ours whose names are surely on the disk

    def begin(self, name: str, attempt: int) -> FolderKeeping:
        """Begin an attempt. A folder that has vanished is made again if the one above it is still there."""
        require_safe(name, f"an unfinished file in {self._folder}")
        path = self._folder / UNFINISHED / part_name(name, attempt)
        with translated("write", path):
            return FolderKeeping(path, self._open_unfinished(), name, attempt, self._open_place)

    def has(self, sha256: str) -> Kept | None:
        """What is there under this hash, by the size of its file."""
        path = self._path(sha256)
        with translated("look at", path):
            try:
                found = path.lstat()
            except FileNotFoundError:
                self._require_disk()
                return None
            return Kept(sha256, found.st_size) if stat.S_ISREG(found.st_mode) else None

    def read(
        self, sha256: str, start: int = 0, end: int | None = None, *, verify: bool = True
    ) -> Generator[bytes, None, None]:
        """The bytes of this range; the file is closed with the generator."""
        pieces = self._pieces(sha256, start, end, verify=verify)
        next(pieces)  # opens the file
        return pieces

    def remove(self, sha256: str) -> None:
        """Forget it; nothing happens where it is not there."""
        path = self._path(sha256)
        with (
            translated("remove", path),
            suppress(FileNotFoundError),
            closing(open_directory(path.parent)) as place,
        ):
            os.unlink(path.name, dir_fd=place)
            sync_directory(place)

    def tidy(self, before: float) -> int:
        """Remove what attempts left unfinished whose last write was before that epoch second."""
        with translated("tidy", self._folder / UNFINISHED):
            try:
                directory = open_directory(self._folder / UNFINISHED)
            except FileNotFoundError:
                return 0
            with closing(directory):
                left = parts_before(directory, before)
                remove(directory, left)
                return len(left)

    def check(self) -> None:
        """Make the folder if it is absent, with those above it; write a file there and remove it."""
        with translated("write into the archive", self._folder):
            make_directories(self._folder)
            with closing(self._open_unfinished()) as directory:
                probe(directory)

    def close(self) -> None:
        """Nothing is held between attempts."""

    def _pieces(
        self, sha256: str, start: int, end: int | None, *, verify: bool
    ) -> Generator[bytes, None, None]:
        """The pieces, after an empty one that says: the file is open, and as long as it has to be."""
        path = self._path(sha256)
        with translated("read", path), self._open(path) as file:
            size = os.fstat(file.fileno()).st_size
            stop = size if end is None else end
            if max(start, stop) > size:
                raise damaged(sha256, f"is cut off: it has {size} bytes")
            yield b""
            digest = hashlib.sha256() if verify and (start, stop) == (0, size) else None
            file.seek(start)
            for at in range(start, stop, PIECE):
                piece = file.read(min(PIECE, stop - at))
                if len(piece) != min(PIECE, stop - at):
                    raise damaged(sha256, "was cut off while it was read")
                if digest:
                    digest.update(piece)
                yield piece
            if digest and digest.hexdigest() != sha256:
                raise damaged(sha256, "has other bytes than were kept")

    def _open(self, path: Path) -> io.FileIO:
        try:
            return io.FileIO(path, "r", opener=_open_file)
        except FileNotFoundError:
            self._require_disk()
            raise damaged(path.name, "is not there") from None

    def _path(self, sha256: str) -> Path:
        return self._folder / require_sha256(sha256)[:2] / sha256

    def _require_disk(self) -> None:
        """Raise the error of a folder that is away with its disk: of what is there nothing can be said."""
        if not self._folder.parent.exists():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    def _open_unfinished(self) -> int:
        try:
            return open_or_make(self._folder / UNFINISHED)
        except FileNotFoundError:
            make_directory(self._folder)
            return open_or_make(self._folder / UNFINISHED)

    def _open_place(self, sha256: str) -> tuple[Path, int]:
        """Where content of this hash belongs, and its open folder."""
        path = self._path(sha256)
        if path.parent not in self._lasting:
            make_directory(path.parent)  # or only synced: whoever made it may have been killed before that
            self._lasting.add(path.parent)
        return path, open_or_make(path.parent)


class FolderKeeping(Unfinished):
    """One attempt to keep one file."""

    def __init__(
        self,
        path: Path,
        directory: int,
        name: str,
        attempt: int,
        open_place: Callable[[str], tuple[Path, int]],
    ) -> None:
        super().__init__(path, directory, name, attempt)
        self._open_place = open_place
        self._kept: Kept | None = None

    def keep(self) -> Kept:
        """Show the file under its hash, once it is safe on the disk."""
        if self._kept is None:
            with self._last_step("keep"):
                self._kept = self._keep(Kept(self.sha256(), self._bytes))
        return self._kept

    def _keep(self, kept: Kept) -> Kept:
        os.fsync(self._file)
        path, place = self._open_place(kept.sha256)
        with closing(place):
            if not show(self._directory, self._part, str(path)) and not _is_there(path, kept.bytes):
                self._replace(path)
            sync_directory(place)
        return kept

    def _replace(self, path: Path) -> None:
        """Put ours in the place of a file that is damaged; who reads that one reads on."""
        try:
            os.rename(self._part, path, src_dir_fd=self._directory)
        except FileNotFoundError:
            raise self._gone("keep") from None


def _open_file(path: str, flags: int) -> int:
    # Without O_NONBLOCK a named pipe of that name would hold us forever.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _is_there(path: Path, size: int) -> bool:
    """Whether a file of this size is there. What is no file is in the way."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise FileExistsError(errno.EEXIST, "not a file")
    return found.st_size == size
