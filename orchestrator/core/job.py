"""The nouns: a job, what is learned about it, and what is owed for it.

Times are seconds since the epoch, durations are seconds, sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.core.blame import Fault
from orchestrator.core.learned.classes import channel_of
from orchestrator.core.lifecycle import Seen, State
from orchestrator.core.routes import Route


def session_of(job_id: str, attempt: int) -> str:
    """The session id that a create attempt is sent with."""
    return f"{job_id}.{attempt}"


def job_of_session(session_id: str) -> str:
    """The id of the job that a create attempt was for, whichever attempt it was; empty if none of ours."""
    return session_id.rpartition(".")[0]


class Source(StrEnum):
    """Where an observation came from."""

    CREATE = "create"  # the answer, or the lack of one, to our create call
    POLL = "poll"  # a look: GET of one job
    WEBHOOK = "webhook"  # a signed delivery
    LIST = "list"  # stored state: the list of recent jobs, or the first WebSocket snapshot
    CLOCK = "clock"  # time passed: a deadline, a lease
    OPERATOR = "operator"  # a person


class Updates(StrEnum):
    """How a job may be followed."""

    HYBRID = "hybrid"  # webhooks, with looks as the safety net
    POLL = "poll"  # looks only: the gateway is not asked to call
    SHADOW = "shadow"  # looks by the gateway's guidance; webhooks are asked for, and only scored


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something ended badly, in the words of whoever said so."""

    message: str
    code: str | None = None
    detail: Any = None

    def as_json(self) -> dict[str, Any]:
        """A plain mapping for the store and for outcome files."""
        return {"message": self.message, "code": self.code, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class OutputSeen:
    """One output as the gateway announced it."""

    index: int
    mime_type: str | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class HookTold:
    """What a status answer says of deliveries of the job's end: how often it was tried, and what came of it.

    `last_status` is the HTTP status that our receiver answered as the gateway saw it, None for no answer;
    `next_try_at` in epoch seconds, None where none is planned.
    """

    tries: int
    delivered: bool
    last_status: int | None = None
    last_error: str | None = None
    next_try_at: float | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing learned about a job, in our words, whatever it came from.

    `outputs` is None when the source does not tell, and empty when it told of none.
    `attempt_id` is the session id of the create attempt that this is the answer to, if it is one.
    `repeated` marks a delivery whose event was received before: its data may still be fresher.
    `ended_at` is when the gateway says that the job ended, in epoch seconds. `hooked` tells, of a create's
    answer, whether the gateway was asked to call; `hook` what a look learned of its calls.
    """

    source: Source
    seen: Seen
    gateway_id: str | None = None
    attempt_id: str | None = None
    status: str | None = None
    progress: int | None = None
    provider: str | None = None
    model: str | None = None
    outputs: tuple[OutputSeen, ...] | None = None
    failure: Failure | None = None
    blame: Fault | None = None
    request_id: str | None = None
    poll_after: float | None = None
    retry_after: float | None = None
    cost_usd: float | None = None
    note: str | None = None
    raw: str | None = None
    inbox_id: int | None = None
    repeated: bool = False
    ended_at: float | None = None
    hooked: bool | None = None
    hook: HookTold | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One request to make a video, and where it stands. Field names are column names."""

    id: str
    tenant_id: str
    account_id: str
    request: dict[str, Any]
    state: State
    session_id: str
    accepted_at: float
    state_since: float
    deadline_at: float
    updates: Updates = Updates.HYBRID
    destinations: tuple[Route, ...] = ()
    reference: str | None = None
    end_user: str | None = None
    retry_of: str | None = None
    traceparent: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    attempts: int = 0
    without_webhook: bool = False
    gateway_id: str | None = None
    gateway_status: str | None = None
    provider: str | None = None
    model: str | None = None
    progress: int = 0
    failure: dict[str, Any] | None = None
    blame: Fault | None = None
    request_id: str | None = None
    cost_usd: float | None = None
    suspicion: Seen | None = None
    won_by: Source | None = None
    looks: int = 0
    look_errors: int = 0
    look_error: str | None = None
    webhooks: int = 0
    clashes: int = 0
    detail_tries: int = 0
    needs_person: bool = False
    resubmitted: bool = False
    unconfirmed: bool = False
    cancel_requested_at: float | None = None
    poll_after: float | None = None
    last_look_at: float | None = None
    created_at: float | None = None
    settled_at: float | None = None
    due_at: float | None = None
    leased_by: str | None = None
    lease_until: float | None = None
    fence: int = 0
    next_seq: int = 1
    # Whether the gateway was asked to call; None where nobody knows any more.
    hooked: bool | None = None
    # When a webhook first told the end, and whether one counted as missed before that.
    hook_at: float | None = None
    hook_missed: bool = False
    # When a look last saw it running.
    seen_running_at: float | None = None
    ending_class: str | None = None

    @property
    def channel(self) -> str | None:
        """The channel over which a webhook is to tell its end; None where none is awaited."""
        awaited = self.updates is not Updates.POLL and not self.without_webhook and self.hooked is not False
        return channel_of(self.account_id, self.provider) if awaited else None

    @property
    def sample_count(self) -> int:
        """How many outputs the request asked for."""
        count = self.request.get("sample_count")
        return count if isinstance(count, int) and count > 0 else 1


class HandOffKind(StrEnum):
    """What is handed off."""

    ARCHIVE = "archive"  # one output, brought from the gateway into the archive
    OUTPUT = "output"  # the bytes of one output, from the archive
    OUTCOME = "outcome"  # how a job ended, as a document


class HandOffState(StrEnum):
    """Where a hand-off stands."""

    OWED = "owed"  # to be done at `due_at`; without one, once the archive has the output
    DONE = "done"  # the destination has it
    DEAD = "dead"  # given up after all attempts; can be replayed
    MISSING = "missing"  # there is no such output; the job's outcome says so
    WITHDRAWN = "withdrawn"  # the caller cancelled before it was done


@dataclass(frozen=True, slots=True)
class Owed:
    """A hand-off about to be owed: its key, which never changes, and when it may first be tried.

    `due_at` is None for what waits for the archive.
    """

    key: str
    job_id: str
    kind: HandOffKind
    destination: str
    due_at: float | None
    output_index: int | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class HandOff:
    """One output, or one job's outcome, owed to one destination. Field names are column names.

    `key` never changes, over retries and crashes: what a destination sees is named after it and `generation`,
    which grows when it is to be delivered as something new.
    """

    id: int
    key: str
    tenant_id: str
    job_id: str
    kind: HandOffKind
    destination: str
    lane: str
    state: HandOffState
    created_at: float
    output_index: int | None = None
    outcome: str | None = None
    attempts: int = 0
    due_at: float | None = None
    leased_by: str | None = None
    lease_until: float | None = None
    fence: int = 0
    generation: int = 0
    last_error: str | None = None
    last_status: int | None = None
    last_preview: str | None = None
    location: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    done_at: float | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One file of a completed job; `bytes` and `sha256` are ours, counted while it was fetched.

    The archive has it under its hash from `archived_at` on, until it is purged. `kept`: it is, was or is to
    be there; of another one only the gateway has the bytes, and announced how many they are.
    """

    job_id: str
    index: int
    mime_type: str | None = None
    announced_bytes: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    missing: bool = False
    archived_at: float | None = None
    purged_at: float | None = None
    kept: bool = True

    @property
    def elsewhere(self) -> bool:
        """Whether only the gateway has it, as far as anybody knows."""
        return not self.kept and self.sha256 is None and not self.missing

    @property
    def size(self) -> int | None:
        """Its bytes as counted here, else as the gateway announced them where it alone has them."""
        return self.announced_bytes if self.elsewhere else self.bytes
