"""What the list of recent jobs is worth, by account and provider: whether it is fresh, and what it saves.

The list tells what the gateway has stored. Of some providers it learns of an end at once, of others when it
next looks by itself, up to five minutes later: until then the list shows the job as running. So "running" is
believed of a provider only after the list was seen to be right about its ends.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from orchestrator.core.learned.hooks import CAUTIOUS, ENOUGH, share

FRESH_ENOUGH = 0.9  # of ends that the list must have shown, by a cautious bound
REMEMBERED = 64.0  # ends: five that a list did not show are enough to stop believing it
GET_EVERY = (
    10  # of so many looks at a job one is a GET, whatever the list says: it shows whether that is right
)

AT_LEAST = 4  # jobs for which a list is read at all
SAVES_AT_LEAST = 1.5  # GETs: it takes one request itself
LATEST = 0.3  # what the latest list showed of other jobs counts so much, the earlier ones the rest
TRIED_EVERY = 50  # looks: then a list is read though it promises nothing, which is two in a hundred requests


def gets_anyway(job_id: str, claims: int) -> bool:
    """Whether this look at a job is one of the few that are a GET whatever the list says.

    By how often the job was claimed, so that no more than `GET_EVERY` - 1 looks in a row believe the list.
    """
    return (claims + crc32(job_id.encode())) % GET_EVERY == 0


@dataclass(slots=True)
class Freshness:
    """Of ends that a look found: how many the list had shown in the same moment, and how many not."""

    fresh: float = 0.0
    stale: float = 0.0

    @property
    def believed(self) -> bool:
        """Whether a job that the list shows as running is taken to be running."""
        seen = self.fresh + self.stale
        return seen >= ENOUGH and share(self.fresh, seen, -CAUTIOUS) >= FRESH_ENOUGH

    def learn(self, fresh: float, stale: float) -> None:
        """So many more; what is old counts less with each."""
        before = self.fresh + self.stale
        kept = min(max(REMEMBERED - fresh - stale, 0.0) / before, 1.0) if before else 1.0
        self.fresh, self.stale = self.fresh * kept + fresh, self.stale * kept + stale

    def as_json(self) -> dict[str, Any]:
        """A plain mapping for the store."""
        return {"fresh": round(self.fresh, 3), "stale": round(self.stale, 3)}


def read_freshness(value: Mapping[str, Any]) -> Freshness:
    """What `as_json` gave; nothing known where it is empty."""
    return Freshness(float(value.get("fresh", 0.0)), float(value.get("stale", 0.0)))


@dataclass(slots=True)
class Reach:
    """Of jobs that a list was read for: how many it showed as ended, and how many as running."""

    jobs: float = 0.0
    ended: float = 0.0
    running: float = 0.0

    def learn(self, jobs: int, ended: int, running: int) -> None:
        """Another list; of the earlier ones counts what is left of `REMEMBERED` jobs."""
        kept = min(max(REMEMBERED - jobs, 0.0) / self.jobs, 1.0) if self.jobs else 1.0
        self.jobs = self.jobs * kept + jobs
        self.ended = self.ended * kept + ended
        self.running = self.running * kept + running

    def saves(self, *, believed: bool) -> float:
        """GETs that a list is expected to save for each job; the less is known, the nearer to one."""
        spared = self.running * (1.0 - 1.0 / GET_EVERY) if believed else 0.0
        return (self.ended + spared + 1.0) / (self.jobs + 1.0)


@dataclass(slots=True)
class Lists:
    """What one process knows of the lists, by channel (`classes.channel_of`); read again at `read_again_at`.

    A list saves the fewer GETs, the more jobs there are that it does not reach, since it shows but the
    hundred that changed last, and the fewer of those that it shows it may be believed about.
    """

    freshness: Mapping[str, Freshness] = field(default_factory=dict)
    read_again_at: float = 0.0
    _reach: dict[str, Reach] = field(default_factory=dict)
    # Ends that a list showed of jobs that it was not read for, of late, by account.
    _unasked: dict[str, float] = field(default_factory=dict)
    _untried: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def believes(self, channel: str) -> bool:
        """Whether the list is fresh enough for the jobs of a channel."""
        known = self.freshness.get(channel)
        return known is not None and known.believed

    def wanted(self, account_id: str, channels: Iterable[str]) -> bool:
        """Whether to read the account's list for jobs of these channels, each named once for each job."""
        jobs = Counter(channels)
        if jobs.total() < AT_LEAST:
            return False
        with self._lock:
            saves = sum(count * self._saves(channel) for channel, count in jobs.items())
            saves += self._unasked.get(account_id, 0.0)
            self._untried[account_id] += jobs.total()
            if saves < SAVES_AT_LEAST and self._untried[account_id] < TRIED_EVERY:
                return False
            self._untried[account_id] = 0
            return True

    def learn_reach(self, channel: str, *, jobs: int, ended: int, running: int) -> None:
        """A list was read for so many jobs of a channel, and showed so many of them."""
        with self._lock:
            self._reach.setdefault(channel, Reach()).learn(jobs, ended, running)

    def learn_unasked(self, account_id: str, ends: int) -> None:
        """A list showed so many ends of jobs that it was not read for: each spares one look at least."""
        with self._lock:
            before = self._unasked.get(account_id, 0.0)
            self._unasked[account_id] = before + LATEST * (ends - before)

    def _saves(self, channel: str) -> float:
        return self._reach.get(channel, Reach()).saves(believed=self.believes(channel))
