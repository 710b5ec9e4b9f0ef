"""Destinations in memory with the promises of `sinks.base`, and what really came to be there."""

from __future__ import annotations

import hashlib
from collections import defaultdict
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
    """A destination for files. `published` is told of each name that appears, its content and the attempt.

    `again` is told of each that was there already, with what is there, what was brought, and the attempt.
    """

    name: str
    scheduler: Scheduler
    chance: Chance
    published: Callable[[str, str, bytes, int], None]
    again: Callable[[str, str, bytes, bytes, int], None]
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

    def holds(self, name: str, sha256: str) -> bool:
        """Whether this very content is there."""
        return name in self.content and hashlib.sha256(self.content[name]).hexdigest() == sha256

    def delivered(self, name: str, body: bytes) -> Delivered:
        """What is told of something that is there."""
        return Delivered(f"{self.name}:{name}", len(body), hashlib.sha256(body).hexdigest())

    def take(self, name: str, body: bytes, attempt: int) -> Delivered:
        """Show something under its name; the first stays."""
        there = self.content.setdefault(name, body)
        if there is body:
            self.published(self.name, name, body, attempt)
        else:
            self.again(self.name, name, there, body, attempt)
        return self.delivered(name, there)

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
class PretendHook(PretendSink):
    """A receiver of documents: nobody can ask what it has, and of each name it heeds the first call only."""

    received: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    takes_files: ClassVar[bool] = False

    def find(self, parcel: Parcel) -> Delivered | None:
        """Nobody can ask."""
        return None

    def holds(self, name: str, sha256: str) -> bool:
        """Whether a call with this very content came."""
        return sha256 in self.received[name]

    def take(self, name: str, body: bytes, attempt: int) -> Delivered:
        """A call came."""
        PretendSink.take(self, name, body, attempt)
        delivered = self.delivered(name, body)
        self.received[name].add(delivered.sha256)
        return delivered


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
        """Bring it."""
        self.sink.pass_time()
        delivered = self.sink.take(self.name, self.body, self.attempt)
        if self.sink.chance.happens(Fault.SINK_HALF):
            raise DestinationError("the destination gave no answer (simulated)")
        return delivered

    def discard(self) -> None:
        """Nothing stays of it anyway."""
