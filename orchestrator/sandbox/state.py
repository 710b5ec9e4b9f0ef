"""What the gateway remembers: jobs, endpoints, deliveries and the requests it saw."""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from orchestrator.sandbox.profiles import Profile
from orchestrator.sandbox.switches import JobSwitches

TERMINAL = frozenset({"completed", "failed", "cancelled", "expired"})
LIST_WINDOW = 101  # the gateway's list reaches only this many jobs, by latest update


@dataclass
class Endpoint:
    """A registered receiver of webhooks."""

    id: str
    name: str
    url: str
    events: list[str]
    secret: str
    created_at: float
    updated_at: float
    status: str = "active"
    deleted_at: float | None = None

    @property
    def active(self) -> bool:
        """Whether deliveries may go there now."""
        return self.status == "active" and self.deleted_at is None


@dataclass
class Delivery:
    """One event owed to one endpoint; its key and id stay the same over all attempts."""

    key: str
    type: str
    event_id: str
    status_change: dict[str, str] | None = None
    progress: int | None = None
    attempts: int = 0
    state: str = "pending"  # pending, scheduled_retry, delivered, failed_permanently, lost, dropped
    retry_at: float | None = None
    statuses: list[int | None] = field(default_factory=list)


@dataclass(frozen=True)
class Order:
    """A create request that passed every check."""

    body: dict[str, Any]
    switches: JobSwitches
    session_id: str | None
    webhook: tuple[str, list[str]] | None  # endpoint id and events
    origin: str  # what repeated creates have in common


@dataclass
class Job:
    """One video job: what the provider will do, and what the gateway has stored so far."""

    id: str
    number: int
    session_id: str | None
    body: dict[str, Any]
    model: str
    slug: str
    profile: Profile
    switches: JobSwitches
    outcome: str
    created_at: float
    starts_at: float
    ends_at: float
    chance: random.Random
    webhook_endpoint: str | None = None
    webhook_events: list[str] = field(default_factory=list)
    stored: str = "queued"
    updated_at: float = 0.0
    finalized_at: float | None = None
    deleted: bool = False
    gets: int = 0
    content_gets: int = 0
    used: dict[str, int] = field(default_factory=dict)  # how often a counted fault has struck
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)  # webhook attempts, latest last

    @property
    def native_id(self) -> str:
        """The provider's own id of the job."""
        return self.profile.native_id.format(model=self.slug, number=self.number)

    @property
    def seconds(self) -> int:
        """Length of the asked-for video."""
        return int(self.body.get("duration") or self.body.get("seconds") or 8)

    @property
    def output_count(self) -> int:
        """How many files the provider really makes."""
        if self.switches.content == "missing":
            return 0
        if self.switches.outputs is not None:
            return self.switches.outputs
        return int(self.body.get("sample_count") or 1) if self.profile.makes_samples else 1

    def strikes(self, fault: str, times: int) -> bool:
        """Whether a counted fault strikes now; 0 or less strikes always."""
        self.used[fault] = self.used.get(fault, 0) + 1
        return times <= 0 or self.used[fault] <= times


class JobStore:
    """All stored jobs, by id and in order of latest update."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def add(self, job: Job) -> None:
        """Remember a job."""
        self._jobs[job.id] = job

    def find(self, job_id: str) -> Job | None:
        """The job of that gateway id."""
        return self._jobs.get(job_id)

    def touch(self, job: Job, now: float) -> None:
        """Note an update; the list is ordered by it."""
        job.updated_at = now
        if job.id in self._jobs:
            self._jobs.move_to_end(job.id)

    def window(self) -> list[Job]:
        """What the list can reach, latest update first."""
        return list(islice(reversed(self._jobs.values()), LIST_WINDOW))

    def everything(self) -> list[Job]:
        """All jobs, oldest update first."""
        return list(self._jobs.values())
