"""What every destination can do: tell what it has, and take one thing whole or not at all.

`tests/integration/sinks/conformance.py` is this promise as tests; every sink runs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the destination has now, under one name."""

    location: str
    bytes: int
    sha256: str


class Staging(Protocol):
    """One attempt to deliver one thing; no reader sees it before `publish`."""

    def write(self, chunk: bytes) -> None:
        """Add bytes; raises DestinationError, and then the attempt is over."""

    def sha256(self) -> str:
        """The hash of what was written so far, in lower-case hex."""
        ...

    def publish(self) -> Delivered:
        """Show it under its name, durably and in one step; raises DestinationError.

        If the name is taken, the first one stays and is returned.
        """
        ...

    def discard(self) -> None:
        """Leave nothing of the attempt behind. Never raises; may follow anything, also itself."""


class Sink(Protocol):
    """One destination. Any call may raise DestinationError.

    The name of a thing is its hand-off's stable key; attempts at one name have growing, unique numbers.
    """

    def find(self, name: str) -> Delivered | None:
        """What an earlier attempt published under this name, counted and hashed by reading it again."""
        ...

    def stage(self, name: str, attempt: int) -> Staging:
        """Begin an attempt; what dead attempts with smaller numbers left behind is removed."""
        ...

    def check(self) -> None:
        """Raises DestinationError, naming why and what to do, if nothing could be delivered now."""
