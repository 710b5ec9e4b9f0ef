"""Jobs: how they are asked for, and what is told of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from orchestrator.core.blame import Addressee, Fault
from orchestrator.core.job import HandOffKind, HandOffState, Source, Updates
from orchestrator.core.lifecycle import Seen, State, Verdict
from orchestrator.core.routes import Outcome
from orchestrator.wire.base import Answered, Asked, Flag, Moment, Number, Whole, at_most

MOST_JOBS = 1_000  # that one request may submit
MOST_DESTINATIONS = 32  # of one job
LONGEST_NAME = 200
LONGEST_SPAN = 31_536_000  # seconds

Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00]*$")]
Metadata = Annotated[
    dict[str, Any], Field(description="Yours: stored with the job and returned with its results.")
]


class NewRoute(Asked):
    """One destination of a job, and what it gets."""

    to: str = Field(min_length=1, max_length=100, description="The destination's name.")
    outcomes: Annotated[tuple[Outcome, ...] | None, at_most(len(Outcome))] = Field(
        None,
        min_length=1,
        max_length=len(Outcome),
        description="Only these outcomes. Default: those the destination is configured for.",
    )
    deliver: Literal["files", "link"] | None = Field(
        None, description="Copy outputs there, or send links to them. Default: as configured."
    )


_REQUEST: dict[str, Any] = {"model": "google/veo-3.1-lite", "prompt": "a red fox in the snow", "duration": 8}
_EXAMPLE: dict[str, Any] = {
    "request": _REQUEST,
    "reference": "order-4711",
    "end_user": "user-17",
    "metadata": {"campaign": "winter"},
    "destinations": [{"to": "folder", "outcomes": ["completed"], "deliver": "files"}],
    "deadline_seconds": 3600,
}


class NewJob(Asked):
    """One job. `request` goes to the gateway as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"request": _REQUEST}, _EXAMPLE]})

    request: dict[str, Any] = Field(
        description="The gateway's own request, with at least a `model`; `webhook` is ours to add."
    )
    reference: Name | None = Field(None, description="Your own name for the job; several may share one.")
    end_user: Name | None = Field(None, description="Who it is for: your own id of an end user.")
    metadata: Metadata = Field(default_factory=dict)
    destinations: Annotated[tuple[NewRoute | str, ...] | None, at_most(MOST_DESTINATIONS)] = Field(
        None,
        max_length=MOST_DESTINATIONS,
        description="Where results go. Default: all default destinations.",
    )
    deadline_seconds: Number | None = Field(
        None, gt=0, le=LONGEST_SPAN, description="When to give up waiting. Default: as in the settings."
    )
    updates: Updates | None = Field(
        None,
        description="`hybrid`: webhooks and looks; `poll`: looks only; `shadow`: looks only, while "
        "webhooks are scored. Default: as in the settings.",
    )
    account: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Which of your gateway accounts to use. Default: the oldest.",
    )


class NewJobs(Asked):
    """Several jobs: all are accepted, or none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"jobs": [{"request": _REQUEST}]}]})

    jobs: Annotated[tuple[NewJob, ...], at_most(MOST_JOBS)] = Field(min_length=1, max_length=MOST_JOBS)


class Error(Answered):
    """Why a job ended badly, in the original words."""

    message: str
    code: str | None = None
    detail: Any = None


class Output(Answered):
    """One file of a job. It can be read once it is `available`; one that is not `kept` never is."""

    index: int
    available: bool
    missing: bool
    kept: bool = Field(
        True,
        description="Whether it is fetched, so that it can be read here. If not, only the gateway has it: "
        "`GET /videos/{gateway_id}/content?index={index}` there, with the account's key.",
    )
    mime_type: str | None = None
    bytes: int | None = Field(None, description="Its size; if it is not `kept`, as the gateway said.")
    sha256: str | None = None
    url: str | None = Field(
        None, description="Where it can be read, relative to the API, by everybody who may read the job."
    )


class HandOff(Answered):
    """One output, or how the job ended, owed to one destination."""

    id: int
    destination: str
    kind: HandOffKind
    state: HandOffState
    output_index: int | None
    outcome: str | None
    created_at: Moment = Field(description="Since when it is owed.")
    attempts: int
    next_attempt_at: Moment | None
    last_error: str | None
    last_status: int | None
    location: str | None
    done_at: Moment | None


class Progressing(Answered):
    """What everybody may know who may know of a job."""

    id: str
    reference: str | None
    state: State
    settled: bool = Field(description="Whether it has ended, however.")
    ready: bool = Field(
        description="Whether it has ended and each of its outputs can be read, or never will be."
    )
    progress: int = Field(ge=0, le=100)
    model: str | None
    error: Error | None
    accepted_at: Moment
    settled_at: Moment | None
    cancel_requested_at: Moment | None
    outputs: tuple[Output, ...]


class PublicJob(Progressing):
    """A job as seen with a come-back token."""

    view: Literal["public"] = "public"


class Job(Progressing):
    """A job as its tenant sees it."""

    view: Literal["full"] = "full"
    end_user: str | None
    account: str
    request: dict[str, Any]
    metadata: dict[str, Any]
    updates: Updates
    destinations: tuple[str, ...]
    state_since: Moment
    over: bool = Field(
        description="Whether nothing more will happen by itself: all is handed off, or given up."
    )
    held: str | None = Field(description="Why it is not created yet, if its tenant has reached a limit.")
    needs_person: bool = Field(description="Whether somebody must settle an uncertain create.")
    retry_of: str | None
    gateway_id: str | None
    gateway_status: str | None
    gateway_request_id: str | None
    provider: str | None
    won_by: Source | None
    blame: Fault | None = Field(
        description="Whose fault it was, if it is not `completed`; `findings` has everything that went wrong."
    )
    cost_usd: float | None
    looks: int
    webhooks: int
    clashes: int
    created_at: Moment | None
    deadline_at: Moment
    traceparent: str | None
    hand_offs: tuple[HandOff, ...]


class Jobs(Answered):
    """Several jobs that were submitted together, in the order in which they were given."""

    jobs: tuple[Job, ...]


class JobPage(Answered):
    """Some jobs, the newest first. `next` is the cursor of what follows, null at the end."""

    jobs: tuple[Job, ...]
    next: str | None


class PublicJobPage(Answered):
    """Some jobs of an end user, the newest first, as seen with a come-back token."""

    jobs: tuple[PublicJob, ...]
    next: str | None


class TimelineEntry(Answered):
    """One thing learned about a job, and what it meant then."""

    seq: int
    at: Moment
    source: Source
    seen: Seen
    verdict: Verdict
    from_state: State
    to_state: State
    gateway_status: str | None
    progress: int | None
    error: Error | None
    gateway_request_id: str | None
    note: str | None


class Timeline(Answered):
    """Everything that was learned about a job, oldest first."""

    entries: tuple[TimelineEntry, ...]


class Finding(Answered):
    """One thing that went wrong with a job, and whose fault it was."""

    fault: Fault
    at: Moment = Field(description="When it was seen first.")
    last_at: Moment = Field(description="When it was seen last.")
    times: int = Field(ge=1, description="How often it was noted.")
    of_end: bool = Field(description="Whether this is why the job ended as it did.")
    overcome: str | None = Field(
        default=None,
        description="Why the job does not suffer from it any more, in words; null while it does.",
    )
    evidence: str = Field(description="What shows it, in words.")
    gateway_request_id: str | None
    addressee: Addressee = Field(description="Who can do something about it.")
    text_for_support: str = Field(description="What to send them; it has no secrets and no prompt.")


class Findings(Answered):
    """Everything that went wrong with a job: first why it ended badly, then what else it met."""

    findings: tuple[Finding, ...]


class Cancelled(Answered):
    """The result of a cancel."""

    job: Job
    cancelled: bool = Field(description="Whether nothing was made at the gateway, and nothing will be.")
    billed: bool = Field(description="Whether the gateway bills it anyway, because it cannot cancel.")
    notice: str


class Resolution(Asked):
    """What a person decides about an uncertain create: exactly one of the three."""

    adopt: str | None = Field(
        None, min_length=1, max_length=128, description="It is this job at the gateway."
    )
    resubmit: Literal[True] | None = Field(
        None, description="Create it again. If the first create did make a job, you pay for both."
    )
    give_up: Literal[True] | None = Field(None, description="Stop waiting; a late webhook still counts.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.adopt, self.resubmit, self.give_up)) != 1:
            raise ValueError("say exactly one of adopt, resubmit and give_up")
        return self


class Replay(Asked):
    """Which hand-offs that were given up to retry."""

    destination: str | None = Field(None, max_length=100)
    outcome: str | None = Field(None, max_length=32)
    status: Whole | None = Field(None, ge=100, le=599, description="The HTTP status of the last answer.")
    within_seconds: Number | None = Field(
        None, gt=0, le=LONGEST_SPAN, description="Only those that became due since then."
    )
    as_new: Flag = Field(False, description="As something new, which receivers do not recognize.")


class ReplayOne(Asked):
    """How to retry one hand-off."""

    as_new: Flag = Field(False, description="As something new: also one that was done.")


class Replayed(Answered):
    """How many are retried."""

    replayed: int
    more: bool = Field(False, description="Whether there may be more: ask again.")


class DeadLetter(HandOff):
    """A hand-off that was given up, with its job."""

    job_id: str
    reference: str | None


class DeadLetters(Answered):
    """Some hand-offs that were given up, the latest first."""

    dead_letters: tuple[DeadLetter, ...]
    next: str | None
