"""A destination in memory with the promises of `sinks.base`, and what really came to be there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from orchestrator.errors import DestinationError
from orchestrator.simulation.chance import Fault
from orchestrator.simulation.scheduler import Crash, Scheduler, running
from orchestrator.simulation.tools import Chance
from orchestrator.sinks import Delivered, Parcel


@dataclass(slots=True)
class PretendSink:
    """One destination. `published` is told of each name that appears, with its content and the attempt.

    `again` is told of each that was there already, with what is there and what was brought.
    """

    name: str
    scheduler: Scheduler
    chance: Chance
    published: Callable[[str, str, bytes, int], None]
    again: Callable[[str, str, bytes, bytes], None]
    content: dict[str, bytes] = field(default_factory=dict)
    takes_files: ClassVar[bool] = True

    def find(self, parcel: Parcel) -> Delivered | None:
        """What is there under this name."""
        self.pass_time()
        body = self.content.get(parcel.name)
        return None if body is None else self.delivered(parcel.name, body)

    def stage(self, parcel: Parcel, attempt: int) -> PretendStaging:
        """Begin an attempt."""
        self.pass_time()
        return PretendStaging(self, parcel.name, attempt)

    def check(self) -> None:
        """It could be used now."""

    def close(self) -> None:
        """Nothing is held."""

    def delivered(self, name: str, body: bytes) -> Delivered:
        """What is told of something that is there."""
        return Delivered(f"{self.name}:{name}", len(body), hashlib.sha256(body).hexdigest())

    def pass_time(self) -> None:
        """A dead process does nothing here; a living one may wait, or fail."""
        activity = running()
        if not activity.owner.alive:
            raise Crash
        if self.chance.happens(Fault.SINK_SLOW):
            self.scheduler.wait(self.chance.random.choice((1.0, 10.0, 150.0)) * self.chance.random.random())
        if self.chance.happens(Fault.SINK_FAILS):
            raise DestinationError("the destination takes nothing (simulated)")


@dataclass(slots=True)
class PretendStaging:
    """One attempt at one thing."""

    sink: PretendSink
    name: str
    attempt: int
    body: bytes = b""

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self.body += chunk

    def sha256(self) -> str:
        """The hash of what was written so far."""
        return hashlib.sha256(self.body).hexdigest()

    def publish(self) -> Delivered:
        """Show it under its name; the first stays."""
        self.sink.pass_time()
        there = self.sink.content.get(self.name)
        if there is None:
            self.sink.content[self.name] = self.body
            self.sink.published(self.sink.name, self.name, self.body, self.attempt)
        else:
            self.sink.again(self.sink.name, self.name, there, self.body)
        if self.sink.chance.happens(Fault.SINK_HALF):
            raise DestinationError("the destination gave no answer (simulated)")
        return self.sink.delivered(self.name, self.sink.content[self.name])

    def discard(self) -> None:
        """Nothing stays of it anyway."""
