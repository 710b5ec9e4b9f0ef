"""What every archive can do: keep content under its hash, give it back as it was, and forget it.

`tests/integration/archive/conformance.py` is this promise as tests; every archive runs them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Kept:
    """Content that the archive has: its SHA-256 in lower-case hex, and its size in bytes."""

    sha256: str
    bytes: int


class Keeping(Protocol):
    """One attempt to keep one thing, whose hash is not known before its last byte."""

    def write(self, chunk: bytes) -> None:
        """Add bytes; raises DestinationError, and then the attempt is over."""

    def sha256(self) -> str:
        """The hash of what was written so far, in lower-case hex."""
        ...

    def keep(self) -> Kept:
        """Keep it under its hash, durably and in one step; raises DestinationError.

        What is there under that hash already stays and is as good.
        """
        ...

    def discard(self) -> None:
        """Leave nothing of the attempt behind. Never raises; may follow anything, also itself."""


class Archive(Protocol):
    """One place for all outputs. Any call may raise DestinationError. Threads and processes share it."""

    def begin(self, name: str, attempt: int) -> Keeping:
        """Begin an attempt; what dead attempts at this name with smaller numbers left behind is removed.

        `name` is as a parcel's and only names what is unfinished.
        """
        ...

    def has(self, sha256: str) -> Kept | None:
        """What is there under this hash, by its size alone: it is not read."""
        ...

    def read(
        self, sha256: str, start: int = 0, end: int | None = None, *, verify: bool = True
    ) -> Generator[bytes, None, None]:
        """The bytes from `start` up to, not including, `end`, in pieces of at most a MiB.

        Read from beginning to end it is hashed on the way: after the last piece ContentDamaged is raised if
        it is not what was kept. Raises ContentDamaged at once where it is gone, or ends before `start` or
        `end`. Whoever stops reading early closes it. Without `verify` nothing is hashed: whoever reads does.
        """
        ...

    def remove(self, sha256: str) -> None:
        """Forget it; nothing happens where it is not there."""

    def tidy(self, before: float) -> int:
        """Remove what attempts left unfinished and nobody touched since that epoch second; tells how many.

        For those whose name never comes again. An attempt that still runs would be over, and says so.
        """
        ...

    def check(self) -> None:
        """Keep a probe, read it back and remove it. Raises DestinationError, naming why and what to do."""

    def close(self) -> None:
        """Free what it holds; it is not used again."""
