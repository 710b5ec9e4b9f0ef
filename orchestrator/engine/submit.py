"""Keeping a job: from here on it cannot be lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.job import Job, Updates, session_of
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Route
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp, Task
from orchestrator.errors import RequestError
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.store import events, jobs
from orchestrator.store.schema import DEFAULT
from orchestrator.telemetry import Event, log

LONGEST_REFERENCE = 200


def _check_text(one: Submission) -> None:
    """What is kept must come out again as JSON in UTF-8, for the gateway and for whoever is handed it."""
    try:
        given = (one.request, one.metadata, one.reference)
        json.dumps(given, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError(
            f"the request, metadata or reference cannot be kept: {type(error).__name__}",
            hint="use JSON in UTF-8: no NaN, no infinity, no half of a surrogate pair, no endless nesting",
        ) from error


@dataclass(frozen=True, slots=True)
class Submission:
    """One job as its caller wants it. `request` is passed to the gateway as it is.

    A destination that is only named gets what it is configured to get; None: those that are the default.
    """

    request: dict[str, Any]
    reference: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    updates: Updates = Updates.HYBRID
    destinations: tuple[Route | str, ...] | None = None
    deadline_seconds: float | None = None


def submit(context: Context, wanted: Sequence[Submission]) -> tuple[list[Job], list[FollowUp]]:
    """Keep jobs, all or none. Raises RequestError for one that could never be made."""
    for one in wanted:
        _check(context, one)
    with context.store.write() as tx:
        new = [_job(context, one, tx.now) for one in wanted]
        jobs.add(tx, new)
        events.append_first(tx, new)
    for job in new:
        log(Event.JOB_ACCEPTED, job=job.id)
    reach(FaultPoint.SUBMIT_COMMITTED)
    return new, [FollowUp(Task.CREATE) for _ in new]


def _job(context: Context, one: Submission, now: float) -> Job:
    job_id = f"job_{context.new_id()}"
    deadline = one.deadline_seconds or context.settings.deadline_seconds
    return Job(
        id=job_id,
        tenant_id=DEFAULT,
        account_id=DEFAULT,
        request=one.request,
        state=State.ACCEPTED,
        state_since=now,
        session_id=session_of(job_id, 0),
        accepted_at=now,
        deadline_at=now + deadline,
        updates=one.updates,
        destinations=_routes(context, one),
        reference=one.reference,
        metadata=one.metadata,
        due_at=now,
    )


def _check(context: Context, one: Submission) -> None:
    _check_text(one)
    if "webhook" in one.request:
        raise RequestError(
            "the request has a `webhook`", hint="leave it out: the orchestrator adds its own endpoint"
        )
    if not one.request.get("model"):
        raise RequestError("the request has no `model`", hint="name one, for example google/veo-3.1-lite")
    if one.reference is not None and "\x00" in one.reference:
        raise RequestError("the reference has a NUL character", hint="leave it out: databases keep none")
    if one.reference is not None and not 0 < len(one.reference) <= LONGEST_REFERENCE:
        raise RequestError(f"a reference has 1 to {LONGEST_REFERENCE} characters")
    if one.deadline_seconds is not None and not one.deadline_seconds > 0:
        raise RequestError("a deadline is more than 0 seconds away")
    _routes(context, one)


def _routes(context: Context, one: Submission) -> tuple[Route, ...]:
    """Where this job's results go. Raises RequestError."""
    if one.destinations is None:
        routes = context.destinations.defaults()
    else:
        routes = tuple(_route(context, route) for route in one.destinations)
    names = [route.destination for route in routes]
    if len(set(names)) < len(names):
        raise RequestError("a destination is named twice", hint="name each once, with all it is to get")
    if any(route.link for route in routes) and context.link("", 0) is None:
        raise RequestError(
            "links to outputs cannot be signed: there is no key",
            hint="`orchestrator secrets new-key` makes one; set it as ORCHESTRATOR_SECRET_KEYS",
        )
    return routes


def _route(context: Context, wanted: Route | str) -> Route:
    name = wanted if isinstance(wanted, str) else wanted.destination
    there = context.destinations.get(name)
    if there is None:
        known = ", ".join(sorted(context.destinations)) or "none"
        raise RequestError(f"there is no destination {name!r}", hint=f"destinations: {known}")
    if isinstance(wanted, str):
        return there.route
    if not wanted.link and not there.sink.takes_files:
        raise RequestError(f"the destination {name!r} takes no files", hint="let it have links instead")
    return wanted
