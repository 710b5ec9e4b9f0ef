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
    dict[str, Any], Field(description="Yours: kept with the job and handed on with its results.")
]


class NewRoute(Asked):
    """One destination of a job, and how it is told."""

    to: str = Field(min_length=1, max_length=100, description="The destination's name.")
    outcomes: Annotated[tuple[Outcome, ...] | None, at_most(len(Outcome))] = Field(
        None,
        min_length=1,
        max_length=len(Outcome),
        description="Only these; if absent, what the destination is configured for.",
    )
    deliver: Literal["files", "link"] | None = Field(
        None, description="Bring outputs there, or tell where they are; if absent, as configured."
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
    end_user: Name | None = Field(None, description="For whom it is made, by your own id.")
    metadata: Metadata = Field(default_factory=dict)
    destinations: Annotated[tuple[NewRoute | str, ...] | None, at_most(MOST_DESTINATIONS)] = Field(
        None,
        max_length=MOST_DESTINATIONS,
        description="Where results go; if absent, to the destinations that are the default.",
    )
    deadline_seconds: Number | None = Field(
        None, gt=0, le=LONGEST_SPAN, description="When to give up waiting; if absent, as the settings say."
    )
    updates: Updates | None = Field(
        None,
        description="`hybrid`: webhooks and looks; `poll`: looks only; `shadow`: looks only, and webhooks "
        "are scored; if absent, as the settings say.",
    )
    account: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Which of your gateway accounts pays; if absent, your first.",
    )


class NewJobs(Asked):
    """Several jobs: all are kept, or none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"jobs": [{"request": _REQUEST}]}]})

    jobs: Annotated[tuple[NewJob, ...], at_most(MOST_JOBS)] = Field(min_length=1, max_length=MOST_JOBS)


class Error(Answered):
    """Why a job ended badly, in the words of whoever said so."""

    message: str
    code: str | None = None
    detail: Any = None


class Output(Answered):
    """One file of a job. It can be read once it is `available`."""

    index: int
    available: bool
    missing: bool
    mime_type: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    url: str | None = Field(
        None, description="Where it can be read, relative to the API, by whoever may read the job."
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
    """A job as the holder of a come-back token sees it."""

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
    held: str | None = Field(description="Why it is not created yet, where its tenant has enough under way.")
    needs_person: bool = Field(description="Whether somebody must settle an uncertain create.")
    retry_of: str | None
    gateway_id: str | None
    gateway_status: str | None
    gateway_request_id: str | None
    provider: str | None
    won_by: Source | None
    blame: Fault | None = Field(
        description="Whose doing its end is, if it is not `completed`; `findings` has all that went wrong."
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
    """Some jobs of an end user, the newest first, as the holder of a come-back token sees them."""

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
    """All that was learned about a job, oldest first."""

    entries: tuple[TimelineEntry, ...]


class Finding(Answered):
    """One thing that went wrong with a job, and whose fault it was."""

    fault: Fault
    at: Moment = Field(description="When it was seen first.")
    last_at: Moment = Field(description="When it was seen last.")
    times: int = Field(ge=1, description="How often it was noted.")
    of_end: bool = Field(description="Whether it is the job's blame: why it ended as it did.")
    evidence: str = Field(description="What shows it, in words.")
    gateway_request_id: str | None
    addressee: Addressee = Field(description="Who can do something about it.")
    text_for_support: str = Field(description="What to paste to them: it has neither secrets nor the prompt.")


class Findings(Answered):
    """All that went wrong with a job: what its end is to be blamed on first, then what it met on its way."""

    findings: tuple[Finding, ...]


class Cancelled(Answered):
    """What a cancel came to."""

    job: Job
    cancelled: bool = Field(description="Whether nothing was or will be made at the gateway.")
    billed: bool = Field(description="Whether the gateway bills it all the same: it cannot cancel.")
    notice: str


class Resolution(Asked):
    """What a person decides about an uncertain create: exactly one of the three."""

    adopt: str | None = Field(
        None, min_length=1, max_length=128, description="It is this job of the gateway's."
    )
    resubmit: Literal[True] | None = Field(
        None, description="Create it again: if the first create did make a job, both are paid."
    )
    give_up: Literal[True] | None = Field(None, description="Stop waiting; a late webhook still counts.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.adopt, self.resubmit, self.give_up)) != 1:
            raise ValueError("say exactly one of adopt, resubmit and give_up")
        return self


class Replay(Asked):
    """Which hand-offs that were given up are tried again."""

    destination: str | None = Field(None, max_length=100)
    outcome: str | None = Field(None, max_length=32)
    status: Whole | None = Field(None, ge=100, le=599, description="The HTTP status of the last answer.")
    within_seconds: Number | None = Field(
        None, gt=0, le=LONGEST_SPAN, description="Only those owed since then."
    )
    as_new: Flag = Field(False, description="As something new, which no receiver takes for known.")


class ReplayOne(Asked):
    """How one hand-off is tried again."""

    as_new: Flag = Field(False, description="As something new: also one that was done.")


class Replayed(Answered):
    """How many are tried again."""

    replayed: int
    more: bool = Field(False, description="Whether there may be more that match: ask again.")


class DeadLetter(HandOff):
    """A hand-off that was given up, with its job."""

    job_id: str
    reference: str | None


class DeadLetters(Answered):
    """Some of those that were given up, the latest first."""

    dead_letters: tuple[DeadLetter, ...]
    next: str | None
