"""Whose doing it was that something went wrong: at the end of a job, or on its way there. Pure.

A job's blame is the fault of its end, if that was not `completed`. Its findings are all faults that were met,
those too that did no harm: a webhook that we refused while a look told the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Why a job did not complete, or something that went wrong on the way."""

    PROVIDER = "provider"  # the provider failed, cancelled or expired the job
    REQUEST = "request"  # the gateway or every provider refused the request
    GATEWAY_ERROR = "gateway_error"  # the gateway itself failed when it was asked
    HOOK_NOT_SENT = "hook_not_sent"  # the webhook about the end was not sent, or never arrived
    HOOK_REFUSED_BY_US = "hook_refused_by_us"  # our side answered a webhook with an error, or not at all
    HOOK_EXHAUSTED = "hook_exhausted"  # the gateway used all its attempts at a webhook
    SIGNATURE_REJECTED = "signature_rejected"  # a webhook about the job arrived, but could not be verified
    POLL_FAULT = "poll_fault"  # looks at the job got no answer about it
    UNCERTAIN_CREATE = "uncertain_create"  # nobody could find out whether the create made a job
    HAND_OFF_FAILED = "hand_off_failed"  # a destination, or the archive, did not accept what was owed to it
    OUTPUT_MISSING = "output_missing"  # completed, but an output never became available, or is damaged
    DEADLINE = "deadline"  # nobody reported how it ended before our deadline
    CALLER = "caller"  # the caller cancelled it


class Addressee(StrEnum):
    """Who can do something about a fault."""

    GATEWAY = "gateway"  # the gateway's support
    PROVIDER = "provider"  # the provider's support, which is reached through the gateway's
    OPERATOR = "operator"  # whoever runs this orchestrator
    CALLER = "caller"  # whoever asked for the job


TOLD = {
    Fault.PROVIDER: Addressee.PROVIDER,
    Fault.REQUEST: Addressee.GATEWAY,
    Fault.GATEWAY_ERROR: Addressee.GATEWAY,
    Fault.HOOK_NOT_SENT: Addressee.GATEWAY,
    Fault.HOOK_REFUSED_BY_US: Addressee.OPERATOR,
    Fault.HOOK_EXHAUSTED: Addressee.OPERATOR,
    Fault.SIGNATURE_REJECTED: Addressee.OPERATOR,
    Fault.POLL_FAULT: Addressee.GATEWAY,
    Fault.UNCERTAIN_CREATE: Addressee.GATEWAY,
    Fault.HAND_OFF_FAILED: Addressee.OPERATOR,
    Fault.OUTPUT_MISSING: Addressee.PROVIDER,
    Fault.DEADLINE: Addressee.GATEWAY,
    Fault.CALLER: Addressee.CALLER,
}

# What only ends have: the job's row says so, and takes it back where the end is overtaken.
OF_ENDS = frozenset({Fault.PROVIDER, Fault.REQUEST, Fault.DEADLINE, Fault.CALLER})

OF_WEBHOOKS = frozenset(
    {Fault.HOOK_NOT_SENT, Fault.HOOK_REFUSED_BY_US, Fault.HOOK_EXHAUSTED, Fault.SIGNATURE_REJECTED}
)

# Met again and again, these are for whoever runs the orchestrator to mend.
OURS = (
    Fault.HOOK_REFUSED_BY_US,
    Fault.HOOK_EXHAUSTED,
    Fault.SIGNATURE_REJECTED,
    Fault.HAND_OFF_FAILED,
)


@dataclass(frozen=True, slots=True)
class Met:
    """A fault that was met, and what shows it, in words. `request_id` is the gateway's."""

    fault: Fault
    evidence: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a job: since when, how often it was noted until when, and what shows it.

    `of_end`: it is why the job ended as it did, its blame; all others were met on the way. `request_id` is
    the gateway's, `addressee` who can do something about it, and `text_for_support` what to paste to them:
    it has neither secrets nor the prompt. `overcome` says why the job does not suffer from it any more, None
    while it does. Times in epoch seconds.
    """

    fault: Fault
    at: float
    evidence: str
    of_end: bool
    request_id: str | None
    addressee: Addressee
    text_for_support: str
    times: int = 1
    last_at: float | None = None
    overcome: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many jobs met a fault in a span of time that began at `begins`, in epoch seconds."""

    fault: Fault
    begins: float
    jobs: int
