"""Events over the API: streams of one job, and of all jobs of a tenant or of one of its end users."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Header, Query

from orchestrator.core.access import Caller, Scope
from orchestrator.core.events import Told
from orchestrator.engine import following
from orchestrator.errors import Misshapen, Place
from orchestrator.web.api import streams
from orchestrator.web.api.authentication import requires
from orchestrator.web.api.door import DoorDep
from orchestrator.web.api.routing import api_router
from orchestrator.web.api.streams import Stream
from orchestrator.wire.jobs import Name

router = api_router()
Visitor = Annotated[Caller, requires(Scope.READ, tokens=True)]
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="The id of the last event that you have.")
]
LastEventIdInUrl = Annotated[
    str | None,
    Query(alias="last_event_id", max_length=400, description="The same, for clients that cannot set it."),
]
_SEQ = re.compile("[0-9]{1,9}")
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events; the data of each is one `Event` as JSON.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/jobs/{job_id}/events",
    operation_id="follow_job",
    status_code=200,
    response_class=Stream,
    responses=_STREAM,
)
async def follow_job(
    door: DoorDep,
    caller: Visitor,
    job_id: str,
    last_event_id: LastEventId = None,
    in_url: LastEventIdInUrl = None,
) -> Stream:
    """Follow one job: its events so far, then new ones, until an event `end`.

    Ids are numbers without gaps, except for events that a token may not see.
    """
    after = _seq(last_event_id or in_url)
    if not await door.run(partial(following.has, door.context, caller, job_id, after)):
        # Else all that is told up to that number would be taken for known.
        raise _no_id("the job has no event of this number")
    return Stream(door, caller, streams.of_job(door, caller, job_id, after))


@router.get("/events", operation_id="follow_jobs", status_code=200, response_class=Stream, responses=_STREAM)
async def follow_jobs(
    door: DoorDep,
    caller: Visitor,
    last_event_id: LastEventId = None,
    in_url: LastEventIdInUrl = None,
    begin: Annotated[
        Literal["now", "start"],
        Query(alias="from", description="Where to begin without an id: at the first event, or now."),
    ] = "now",
    end_user: Annotated[Name | None, Query(description="Only the jobs of this end user of yours.")] = None,
    types: Annotated[list[Told] | None, Query(description="Only these types of events.")] = None,
) -> Stream:
    """Follow all jobs, or those of one end user. Ids are opaque; continue after one with `Last-Event-ID`."""
    whose = following.whose(caller, end_user)
    known = _position(caller, whose, last_event_id or in_url)
    start = partial(following.begin, door.context, known, from_start=begin == "start")
    after = await door.run(start)
    return Stream(door, caller, streams.of_tenant(door, caller, whose, after, types or ()))


def _seq(given: str | None) -> int:
    if not given:
        return 0
    if not _SEQ.fullmatch(given):
        raise _no_id("ids of a job's events are whole numbers")
    return int(given)


def _position(caller: Caller, end_user: str | None, given: str | None) -> Any:
    if not given:
        return None
    found = streams.position(caller, end_user, given)
    if found is None:
        raise _no_id("it is of no event of this stream")
    return found


def _no_id(why: str) -> Misshapen:
    return Misshapen(
        [Place("header.Last-Event-ID", why)], hint="leave it out to start over, or send the id of an event"
    )
