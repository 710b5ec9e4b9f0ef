"""What is told of jobs, brought from the database to everybody in this process who follows them.

One reader for all: woken when something was committed, or a second later, it reads what is new and hands it
out. Whoever follows one job gets everything at once; whoever follows several, only what is settled: nothing
that commits late can come before it any more. With nobody there it reads nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from orchestrator.errors import StoreError
from orchestrator.store import events, jobs
from orchestrator.store.database import Store, Transaction
from orchestrator.store.events import START, Entry, Position
from orchestrator.telemetry import Event, log

GONE_EVERY = 30.0  # seconds; until then a job that was purged is followed in vain
LOOK_EVERY = 1.0  # seconds; a lost wake-up costs so much and no event
SOON = 0.02  # seconds; the first of ever longer times after which what was not settled may be
PAGE = 1_000  # entries that one statement reads
KEPT = 256  # entries that wait for one follower; with more it reads on from the database
READERS = 8  # followers that read from the database at once: thousands may come back together

T = TypeVar("T")
Whose = tuple[str, ...]  # ("job", id), ("tenant", id), ("end_user", tenant, id) or everybody
EVERYBODY: Whose = ("everybody",)


def of_job(job_id: str) -> Whose:
    """Whoever follows one job."""
    return ("job", job_id)


def of_tenant(tenant_id: str, end_user: str | None = None) -> Whose:
    """Whoever follows all jobs of a tenant, or those of one of its end users."""
    return ("tenant", tenant_id) if end_user is None else ("end_user", tenant_id, end_user)


@dataclass(eq=False, slots=True)
class Following:
    """What has come for one follower and was not taken yet.

    `missed`: too much has come, and was dropped. `over`: the server stops.
    """

    missed: bool = False
    over: bool = False
    _last: int = 0  # of one job: those that are not settled come again
    _waiting: deque[Entry] = field(default_factory=deque)
    _come: asyncio.Event = field(default_factory=asyncio.Event)

    def give(self, entry: Entry) -> None:
        """Something was told."""
        if len(self._waiting) >= KEPT:
            self.miss()
        if not self.missed:
            self._waiting.append(entry)
        self._come.set()

    def miss(self) -> None:
        """Something was not handed out: the database has it."""
        self._waiting.clear()
        self.missed = True
        self._come.set()

    def give_once(self, entry: Entry) -> None:
        """Something was told of the one job that is followed, maybe not for the first time."""
        if entry.seq > self._last:
            self._last = entry.seq
            self.give(entry)

    def end(self) -> None:
        """Nothing more will come."""
        self.over = True
        self._come.set()

    def begin(self) -> None:
        """From now on keep what comes: what came before is read from the database."""
        self._waiting.clear()
        self.missed = False

    async def take(self, seconds: float) -> list[Entry]:
        """What has come, as soon as something has; nothing when time is over, or it was missed, or all is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._come.wait()
        if not self.over:
            self._come.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return [] if self.missed else taken


class Hub:
    """One of a process. But for `wake`, everything is called on the event loop of the server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: defaultdict[Whose, set[Following]] = defaultdict(set)
        self._position = START
        self._placed = asyncio.Event()
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waking = False
        self._reading: asyncio.Task[None] | None = None
        self._readers = asyncio.Semaphore(READERS)
        self._thread = ThreadPoolExecutor(1, "hub")
        self._over = False
        # When it was last asked whether a key or token has not ended, by its id, for all who follow with it.
        self.asked_about: dict[str, float] = {}

    def wake(self) -> None:
        """Something was committed. Called from any thread, as often as one likes; returns at once."""
        loop = self._loop
        if loop is None or self._waking:
            return
        self._waking = True
        with suppress(RuntimeError):  # the loop was closed in this moment
            loop.call_soon_threadsafe(self._wake)

    @asynccontextmanager
    async def follow(self, whose: Whose, *, within: float | None = None) -> AsyncIterator[Following]:
        """Be given what is told from now on. What was told before is in the database by then.

        Unless the database did not answer `within` so many seconds: then some of it may be told to nobody.
        """
        following = Following()
        self._followers[whose].add(following)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._placed_somewhere(following)
            yield following
        finally:
            self._followers[whose].discard(following)
            if not self._followers[whose]:
                del self._followers[whose]
            if not self._followers:
                self.asked_about.clear()

    @property
    def followers(self) -> int:
        """How many follow something."""
        return sum(len(some) for some in self._followers.values())

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """One's turn to read from the database what was told before."""
        async with self._readers:
            yield

    def stop(self) -> None:
        """The server stops: everybody who follows is told so."""
        self._over = True
        for some in self._followers.values():
            for following in some:
                following.end()
        self._placed.set()
        if self._reading is not None:
            self._reading.cancel()
        self._thread.shutdown(wait=False)

    def _wake(self) -> None:
        self._waking = False
        self._woken.set()

    async def _placed_somewhere(self, following: Following) -> None:
        """Wait until it is known from where on things are handed out."""
        if self._over:
            following.end()
            return
        if self._reading is None or self._reading.done():
            self._loop = asyncio.get_running_loop()
            self._placed.clear()
            self._reading = asyncio.create_task(self._read_while_wanted(), name="hub")
        await self._placed.wait()

    async def _read_while_wanted(self) -> None:
        while self._followers:
            try:
                await self._read_on()
            except Exception as error:  # noqa: BLE001 - a bug of ours must not leave them all in silence
                log(Event.TASK_BROKE, level=logging.ERROR, task="hub", error=repr(error))
                await asyncio.sleep(LOOK_EVERY)

    async def _read_on(self) -> None:
        self._position = await self._surely(events.now)
        if self._placed.is_set():  # after a failure: what was told until here is in the database
            for following in [one for some in self._followers.values() for one in some]:
                following.miss()
        self._placed.set()
        looked_for_gone, unsettled_since = self._now(), None
        while self._followers:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_next_look(unsettled_since)):
                    await self._woken.wait()
            self._woken.clear()
            unsettled_since = None if await self._hand_out() else unsettled_since or self._now()
            if self._now() - looked_for_gone >= GONE_EVERY:
                await self._end_those_of_jobs_that_are_gone()
                self._forget_who_was_asked_about()
                looked_for_gone = self._now()

    def _until_next_look(self, unsettled_since: float | None) -> float:
        """What is not settled will be when an older transaction ends, and that one may tell nothing."""
        if unsettled_since is None:
            return LOOK_EVERY
        return min(max(self._now() - unsettled_since, SOON), LOOK_EVERY)

    def _now(self) -> float:
        assert self._loop is not None  # it runs there
        return self._loop.time()

    async def _end_those_of_jobs_that_are_gone(self) -> None:
        """A job that was purged says no more, not even that."""
        followed = [whose[1] for whose in self._followers if whose[0] == "job"]
        for some in (followed[start : start + PAGE] for start in range(0, len(followed), PAGE)):
            there = await self._surely(partial(_existing, some))
            for job_id in set(some) - there:
                for following in self._followers.get(of_job(job_id), ()):
                    following.end()

    def _forget_who_was_asked_about(self) -> None:
        """Those who are still there are asked about more often than this comes."""
        asked = self.asked_about.items()
        self.asked_about = {one: at for one, at in asked if self._now() - at < GONE_EVERY}

    async def _hand_out(self) -> bool:
        """Give all that is new to whom it concerns; whether all of it is settled."""
        after, full, settled = self._position, True, True
        while full:
            page = await self._surely(partial(_news, after))
            for entry in page:
                self._give(entry)
                after = entry.position
                settled = entry.settled
                if settled:
                    self._position = after
            full = len(page) == PAGE
        return settled

    def _give(self, entry: Entry) -> None:
        for following in self._followers.get(of_job(entry.job_id), ()):
            following.give_once(entry)
        if not entry.settled:
            return
        for whose in {of_tenant(entry.tenant_id), of_tenant(entry.tenant_id, entry.end_user), EVERYBODY}:
            for following in self._followers.get(whose, ()):
                following.give(entry)

    async def _surely(self, act: Callable[[Transaction], T]) -> T:
        """Read, if need be again and again: followers stay, whatever becomes of the database."""
        failed = False
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, act)
            except StoreError as error:
                if not failed:
                    log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
                failed = True
                await asyncio.sleep(LOOK_EVERY)

    def _read(self, act: Callable[[Transaction], T]) -> T:
        with self._store.read() as tx:
            return act(tx)


def _news(after: Position, tx: Transaction) -> list[Entry]:
    return events.news(tx, after=after, limit=PAGE)


def _existing(job_ids: Sequence[str], tx: Transaction) -> set[str]:
    return jobs.existing(tx, job_ids)
