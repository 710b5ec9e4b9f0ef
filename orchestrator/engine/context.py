"""Everything a use-case works with; built once per process by `wiring`."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pydantic import SecretStr

from orchestrator.archive import Archive
from orchestrator.core.breaker import Breakers
from orchestrator.core.effects import Policy
from orchestrator.core.job import HandOff, Job, Output, Owed
from orchestrator.core.learned.lists import Lists
from orchestrator.core.learned.paces import Paces
from orchestrator.engine.accounts import Gateways
from orchestrator.engine.catalogue import Catalogue
from orchestrator.engine.drifting import Drifts
from orchestrator.engine.held import Held
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.engine.together import Together
from orchestrator.otlp import Spans
from orchestrator.settings import Settings
from orchestrator.store.database import Store
from orchestrator.store.due import Turns
from orchestrator.store.tenants import Spent

if TYPE_CHECKING:
    from orchestrator.gateway.client import (
        Gateway,  # a quarter of what a process loads; web and beat ask nothing
    )

THREADS_FOR_OTHERS = 2


@dataclass(slots=True)
class Quota:
    """So many a minute of each account, so that a flood of forgeries fills neither disk nor time."""

    clock: Callable[[], float]
    _spent: dict[str, tuple[int, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self, account: str, per_minute: int) -> bool:
        """Whether one more may be kept in this minute."""
        minute = int(self.clock() // 60)
        with self._lock:
            began, count = self._spent.get(account, (minute, 0))
            count = count + 1 if began == minute else 1
            self._spent[account] = (minute, count)
        return count <= per_minute


@dataclass(slots=True)
class Places:
    """How many hand-offs of this process are under way to each destination."""

    _taken: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def taken(self) -> dict[str, int]:
        """How many are under way, by destination."""
        with self._lock:
            return dict(self._taken)

    def full(self, most: Callable[[str], int]) -> set[str]:
        """Destinations with as many under way as may be there."""
        return {name for name, count in self.taken().items() if count >= most(name)}

    def take(self, name: str, most: int) -> bool:
        """Begin one more, unless so many are under way."""
        with self._lock:
            free = self._taken[name] < most
            self._taken[name] += free
            return free

    def give_back(self, name: str) -> None:
        """It is over."""
        with self._lock:
            self._taken[name] -= 1


class Hands(Protocol):
    """Threads of a process that hand off what it owes itself (see `prompt`)."""

    def choose(self, owed: Sequence[Owed]) -> list[Owed]:
        """Those that could begin now, or in a moment."""

    def begin(self, claimed: HandOff, job: Job, siblings: list[Output]) -> None:
        """Make an attempt at what was claimed for it, as it was then. Returns at once, and never raises."""


@dataclass(slots=True)
class Context:
    """The tools of one process.

    `random` gives numbers in [0, 1), `new_id` unique sortable ids, `pause` waits for some seconds, and
    `clock` counts seconds of this process; what rows tell is judged by the database's.
    `gateways`, `base_urls` and `webhook_secrets` are by account, as they are now. A process that never asks
    the gateway has no gateways, and knows all the same where they are.
    """

    settings: Settings
    store: Store
    http: HttpLoop
    gateways: Mapping[str, Gateway]
    base_urls: Mapping[str, str]
    webhook_secrets: Mapping[str, tuple[SecretStr, ...]]
    destinations: Catalogue
    archive: Archive
    # Where a reader gets an output from, by job and index; None where links cannot be signed.
    link: Callable[[str, int], str | None]
    worker: str
    random: Callable[[], float]
    new_id: Callable[[], str]
    pause: Callable[[float], object]
    clock: Callable[[], float]
    rejections: Quota
    breakers: Breakers = field(default_factory=Breakers)
    turns: Turns = field(default_factory=Turns)
    places: Places = field(default_factory=Places)
    held: Held = field(default_factory=Held)
    # Transactions are shared by creates that begin at one moment, by those whose answers came at one moment,
    # and by hand-offs that came there at one moment.
    creates_begun: Together = field(default_factory=Together)
    creates_kept: Together = field(default_factory=Together)
    hand_offs_done: Together = field(default_factory=Together)
    # None where whatever is owed waits for a worker.
    hands: Hands | None = None
    # What each tenant has spent, and until when that is believed.
    spent: dict[str, tuple[float, Spent]] = field(default_factory=dict)
    # Sessions of gateway jobs that are none of ours, so that each is opened once only.
    foreign: dict[str, str | None] = field(default_factory=dict)
    # What was learned of when to look; read again by whoever looks.
    paces: Paces = field(default_factory=Paces)
    # What is known of the list of recent jobs, likewise.
    lists: Lists = field(default_factory=Lists)
    # What the gateway said that its contract does not foresee, until it is kept.
    drifts: Drifts = field(default_factory=Drifts)
    # Who is told what became of each job, as one trace; nobody where that is off.
    spans: Spans | None = None

    def most_at_once(self, destination: str) -> int:
        """Hand-offs under way there at once: one that hangs leaves some threads to the others."""
        there = self.destinations.get(destination)
        most = max(1, self.settings.hand_off_threads - THREADS_FOR_OTHERS)
        return most if there is None or there.at_once is None else min(there.at_once, most)

    @property
    def policy(self) -> Policy:
        """The settings that decide about due times, and about what is owed."""
        settings = self.settings
        return Policy(
            settings.poll_after_seconds, settings.uncertain_every_seconds, self.paces, settings.keep_outputs
        )

    def close(self) -> None:
        """End every call and every connection. The store is for whoever opened it to close."""
        if self.spans is not None:
            self.spans.close()
        self.http.cancel()  # else what is under way would end in an error of a client that was closed
        self.destinations.close()
        self.archive.close()
        known = self.gateways
        gateways = known.opened() if isinstance(known, Gateways) else known.values()
        self.http.stop(*(gateway.aclose for gateway in gateways))
