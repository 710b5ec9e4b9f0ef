"""Names of requests that cross borders, and what is told of a job as one W3C trace.

Everything in a trace is derived: from the trace that the submitter named, or from the job's id, and of each
span from what its row says. So processes that know nothing of each other, hours apart, tell parts of one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:~-]{1,100}", re.ASCII)
# https://www.w3.org/TR/trace-context/#traceparent-header
_PARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<ids>(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_FIRST_VERSION = "00"
_SAMPLED = 1


class Part(StrEnum):
    """What a span of a job is about."""

    JOB = "job"  # from accepted to ended: the parent of all the others
    SUBMIT = "submit"  # keeping it
    CREATE = "create"  # one create call, from its claim until its answer was kept
    WEBHOOK = "webhook"  # one delivery, until it was committed
    LOOK = "look"  # one GET, until its answer was there
    TOLD = "told"  # a move by something else: a list, the clock, a person
    HAND_OFF = "hand_off"  # one attempt


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of a job. `parent` is the submitter's span, and `sampled` its wish; None without one."""

    job_id: str
    id: str
    parent: str | None = None
    sampled: bool | None = None

    def span_id(self, part: Part, name: object = "") -> str:
        """Of a part of the job, the same whoever asks. `name` tells parts of a kind apart."""
        return _derived(f"{self.job_id}/{part}/{name}", 8)


@dataclass(frozen=True, slots=True)
class Span:
    """One part of a job, told once it is over. Times are epoch seconds by the database's clock.

    `called`: it was a call to somebody else. `failed` says why it did not do what it was for.
    """

    trace: Trace
    part: Part
    name: object
    began: float
    ended: float
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    failed: str | None = None
    called: bool = False

    @property
    def id(self) -> str:
        """Derived, in hexadecimal digits."""
        return self.trace.span_id(self.part, self.name)

    @property
    def parent(self) -> str | None:
        """The job's own span; of that, the submitter's."""
        return self.trace.parent if self.part is Part.JOB else self.trace.span_id(Part.JOB)


def trace_of(job_id: str, traceparent: str | None) -> Trace:
    """The trace that the submitter named, else one of the job's own."""
    if traceparent is None:
        return Trace(job_id, _derived(f"{job_id}/trace", 16))
    _, trace, parent, flags = traceparent.split("-")
    return Trace(job_id, trace, parent, bool(int(flags, 16) & _SAMPLED))


def traceparent_of(trace: Trace, span_id: str, *, sampled: bool) -> str:
    """What is sent with a call that belongs to a span."""
    return _parent(f"{trace.id}-{span_id}", sampled=sampled)


def sane_request_id(given: str) -> str | None:
    """An id that somebody else gave a request, if it can go into headers and logs."""
    return given if _REQUEST_ID.fullmatch(given) else None


def sane_traceparent(given: str) -> str | None:
    """The parent of a trace as the first version of the standard has it; None where it is none.

    What later versions add is left out, also from the flags: whoever passes it on must not say it unread.
    """
    found = _PARENT.fullmatch(given)
    if found is None or (found["more"] is not None and found["version"] == _FIRST_VERSION):
        return None
    return _parent(found["ids"], sampled=bool(int(found["flags"], 16) & _SAMPLED))


def _parent(ids: str, *, sampled: bool) -> str:
    return f"{_FIRST_VERSION}-{ids}-{'01' if sampled else '00'}"


def _derived(name: str, size: int) -> str:
    """So many bytes as hexadecimal digits. None is known whose SHA-256 begins with zeros alone."""
    return hashlib.sha256(name.encode()).hexdigest()[: 2 * size]
