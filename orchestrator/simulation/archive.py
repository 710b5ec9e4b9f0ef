"""An archive in memory with the promises of `archive.base`; what it has may get damaged, or be lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from orchestrator.archive import Kept
from orchestrator.errors import ContentDamaged, DestinationError
from orchestrator.simulation.chance import Fault
from orchestrator.simulation.scheduler import Crash, Scheduler, running
from orchestrator.simulation.tools import Chance, Trace

HARMED_WITHIN = (0.0, 0.0, 0.0, 60.0)  # seconds after it was kept
MOST_HARMS = 4  # in one world, since they do not heal with the rest: most outputs come when all is well


@dataclass(slots=True)
class PretendArchive:
    """All outputs by the hash under which they were kept. `in_transaction` says whether one is open."""

    scheduler: Scheduler
    chance: Chance
    trace: Trace
    in_transaction: Callable[[], bool]
    content: dict[str, bytes] = field(default_factory=dict)
    harms: int = 0
    harmed: set[str] = field(default_factory=set)  # what was damaged or lost at any time
    lacking: set[str] = field(default_factory=set)  # what was, and was not put there anew since

    def begin(self, name: str, attempt: int) -> PretendKeeping:
        """Begin an attempt."""
        self.pass_time()
        return PretendKeeping(self)

    def has(self, sha256: str) -> Kept | None:
        """What is there, unread."""
        self.pass_time()
        body = self.content.get(sha256)
        return None if body is None else Kept(sha256, len(body))

    def read(
        self, sha256: str, start: int = 0, end: int | None = None, *, verify: bool = True
    ) -> Generator[bytes, None, None]:
        """The bytes in two pieces; that they are not what was kept is found after the last one."""
        self.pass_time()
        body = self.content.get(sha256)
        if body is None:
            raise ContentDamaged("the archive does not have it any more (simulated)")
        wanted = body[start:end]
        yield wanted[: len(wanted) // 2]
        self.pass_time()
        yield wanted[len(wanted) // 2 :]
        self.pass_time()
        if verify and wanted == body and not self.sound(sha256, body):
            raise ContentDamaged("the archive has it damaged (simulated)")

    def remove(self, sha256: str) -> None:
        """Forget it."""
        self.pass_time()
        self.content.pop(sha256, None)

    def tidy(self, before: float) -> int:
        """Nothing unfinished is kept."""
        return 0

    def check(self) -> None:
        """It could be used now."""

    def close(self) -> None:
        """Nothing is held."""

    def sound(self, sha256: str, body: bytes | None = None) -> bool:
        """Whether what is there is what was kept."""
        there = self.content.get(sha256) if body is None else body
        return there is not None and hashlib.sha256(there).hexdigest() == sha256

    def put(self, sha256: str, body: bytes) -> None:
        """Have it from now on; now and then it comes to harm soon."""
        self.content[sha256] = body
        self.lacking.discard(sha256)
        self.trace("archive", f"has {sha256[:8]}")
        random = self.chance.random
        for fault, harm in ((Fault.ARCHIVE_DAMAGED, self._damage), (Fault.ARCHIVE_LOST, self._lose)):
            if self.harms < MOST_HARMS and self.chance.happens(fault, late=True):
                self.harms += 1
                soon = random.choice(HARMED_WITHIN) * random.random()
                self.scheduler.after(soon, lambda harm=harm: harm(sha256))  # type: ignore[misc]

    def pass_time(self) -> None:
        """A dead process does nothing here; a living one may wait, or fail."""
        if not running().owner.alive:
            raise Crash
        if not self.in_transaction() and self.chance.happens(Fault.ARCHIVE_SLOW):
            self.scheduler.wait(self.chance.random.choice((1.0, 10.0, 150.0)) * self.chance.random.random())
        if self.chance.happens(Fault.ARCHIVE_FAILS):
            raise DestinationError("the archive cannot be used (simulated)")

    def _damage(self, sha256: str) -> None:
        body = self.content.get(sha256)
        if body is not None:
            self.trace("archive", f"has {sha256[:8]} damaged")
            self._harm(sha256)
            self.content[sha256] = body[:-1] + bytes([body[-1] ^ 1])

    def _lose(self, sha256: str) -> None:
        if self.content.pop(sha256, None) is not None:
            self.trace("archive", f"loses {sha256[:8]}")
            self._harm(sha256)

    def _harm(self, sha256: str) -> None:
        self.harmed.add(sha256)
        self.lacking.add(sha256)


@dataclass(slots=True)
class PretendKeeping:
    """One attempt to keep one thing."""

    archive: PretendArchive
    body: bytes = b""

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self.body += chunk

    def sha256(self) -> str:
        """The hash of what was written so far."""
        return hashlib.sha256(self.body).hexdigest()

    def keep(self) -> Kept:
        """Keep it under its hash; what is there stays."""
        self.archive.pass_time()
        kept = Kept(self.sha256(), len(self.body))
        if kept.sha256 not in self.archive.content:
            self.archive.put(kept.sha256, self.body)
        self.archive.pass_time()
        if self.archive.chance.happens(Fault.ARCHIVE_HALF):
            raise DestinationError("the archive gave no answer (simulated)")
        return kept

    def discard(self) -> None:
        """Nothing stays of it anyway."""
