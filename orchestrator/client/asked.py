"""What the client is asked for, made into requests. Raises RequestError for what no API would take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypedDict, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from orchestrator.core.blame import Fault
from orchestrator.core.events import Told as EventType
from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.errors import RequestError
from orchestrator.wire.jobs import MOST_JOBS, NewJob, NewRoute

Model = TypeVar("Model", bound=BaseModel)
LONGEST_KEY = 255


class About(TypedDict, total=False):
    """What may be said of a job beside its request; `NewJob` has what each means."""

    reference: str | None
    end_user: str | None
    metadata: dict[str, Any]
    destinations: Sequence[NewRoute | str] | None
    deadline_seconds: float | None
    updates: Updates | None
    account: str | None


class JobFilter(TypedDict, total=False):
    """Which jobs are meant; times have a zone."""

    states: Sequence[State]
    reference: str | None
    end_user: str | None
    needs_person: bool | None
    blame: Fault | None
    accepted_after: datetime | None
    accepted_before: datetime | None


class Which(TypedDict, total=False):
    """Which dead letters are meant; `wire.jobs.Replay` has what each means."""

    destination: str | None
    outcome: str | None
    status: int | None
    within_seconds: float | None


class Told(TypedDict, total=False):
    """Which events of all jobs are meant; `from_start` begins with what was told before."""

    end_user: str | None
    types: Sequence[EventType]
    from_start: bool


def new_job(request: Mapping[str, Any] | NewJob, about: About) -> NewJob:
    """A job, from the gateway's request or from one that is whole, with more said about it."""
    begun = request.model_dump(exclude_unset=True) if isinstance(request, NewJob) else {"request": request}
    return checked(NewJob, {**begun, **about})


def checked(kind: type[Model], values: Mapping[str, Any]) -> Model:
    """A model of these values."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        wrong = [
            f"{'.'.join(str(step) for step in one['loc']) or 'it'}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise RequestError("; ".join(wrong)) from None


def body(asked: BaseModel) -> str:
    """JSON of what was said, and of nothing else."""
    try:
        return asked.model_dump_json(exclude_unset=True)
    except PydanticSerializationError as error:
        raise RequestError(f"the request cannot be written as JSON: {error}") from None


def in_parts(jobs: Iterable[NewJob]) -> Iterator[tuple[NewJob, ...]]:
    """As many at a time as one request takes."""
    rest = iter(jobs)
    while part := tuple(islice(rest, MOST_JOBS)):
        yield part


def idempotency(key: str) -> dict[str, str]:
    """The header, as a string of structured fields (RFC 8941)."""
    if not 0 < len(key) <= LONGEST_KEY or not all("!" <= one <= "~" for one in key):
        raise RequestError(f"an idempotency key has 1 to {LONGEST_KEY} visible ASCII characters")
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return {"idempotency-key": f'"{escaped}"'}


def query_of(which: JobFilter) -> dict[str, Any]:
    """The same, as the API's query."""
    return {
        **which,
        "states": None,
        "state": [str(state) for state in which.get("states", ())] or None,
        "accepted_after": _moment(which.get("accepted_after")),
        "accepted_before": _moment(which.get("accepted_before")),
    }


def query_of_events(which: Told) -> dict[str, Any]:
    """The same, as the API's query."""
    return {
        "end_user": which.get("end_user"),
        "types": [str(one) for one in which.get("types", ())] or None,
        "from": "start" if which.get("from_start") else None,
    }


def _moment(at: datetime | None) -> str | None:
    """A time as the API reads it. One without a zone could mean any of several."""
    if at is not None and at.tzinfo is None:
        raise RequestError(f"the time {at.isoformat()} has no zone", hint="give it one, such as datetime.UTC")
    return None if at is None else at.isoformat()
