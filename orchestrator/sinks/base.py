"""What every destination can do: tell what it has, and take one thing whole or not at all.

`tests/integration/sinks/conformance.py` is this promise as tests; every sink runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parcel:
    """One thing to be delivered.

    `name` is the same over retries and crashes and belongs to no other thing: 1 to 200 letters, digits, `_`,
    `-` and `.`, the first of them no `-` or `.`. `event` says what it is, for example `job.completed` or
    `output`; `at` is when it became owed, in epoch seconds. `facts` are what is known about its job, as text,
    by the names that key templates and metadata use: see `engine.parcels`. `traceparent` goes with a call,
    for a receiver that takes part in traces.
    """

    name: str
    content_type: str = "application/octet-stream"
    event: str = "output"
    at: float = 0.0
    facts: Mapping[str, str] = field(default_factory=dict)
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the destination has now, under one name. `status` is that of its answer, where it speaks HTTP."""

    location: str
    bytes: int
    sha256: str
    status: int | None = None


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
    """One destination. Any call may raise DestinationError. Threads share it."""

    # Whether it takes files of any size. Others take documents of some KiB, and tell where the files are.
    takes_files: ClassVar[bool]

    def find(self, parcel: Parcel) -> Delivered | None:
        """What an earlier attempt published under this name, counted and hashed by reading it again.

        None also where nobody can ask, as with a webhook: the attempt is then made again under the same name.
        """
        ...

    def stage(self, parcel: Parcel, attempt: int) -> Staging:
        """Begin an attempt; what dead attempts with smaller numbers left behind is removed."""
        ...

    def check(self) -> None:
        """Deliver a probe and remove it. Raises DestinationError, naming why and what to do."""

    def close(self) -> None:
        """Free what it holds; it is not used again."""


class SinkOptions(BaseModel):
    """What a kind of destination can be told. Fields of type SecretStr are encrypted where they are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Run(Protocol):
    """Waits for a coroutine on the event loop of the process. The coroutine carries its own deadline."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What a sink may use of the process it works in. `wall_clock` gives epoch seconds."""

    run: Run
    wall_clock: Callable[[], float]


class Kind(Protocol):
    """A kind of destination, as named by an entry point of the group `orchestrator.sinks`: a sink's class."""

    Options: type[SinkOptions]

    @classmethod
    def build(cls, options: Any, tools: Tools) -> Sink:
        """One destination of this kind. Nothing is asked of it yet. Raises SettingError."""
        ...
