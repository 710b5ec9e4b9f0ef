"""What callers ask, as the engine takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Header
from pydantic import BaseModel, Discriminator, Tag

from orchestrator.core.access import Caller
from orchestrator.core.idempotency import PATTERN, fingerprint, read_key
from orchestrator.core.routes import Outcome, Route
from orchestrator.engine.catalogue import Destination
from orchestrator.engine.submit import Once, Submission
from orchestrator.wire.jobs import NewJob, NewJobs, NewRoute

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=PATTERN,
        description="Your name for this request: sent again within 7 days, it creates nothing twice.",
    ),
]


def _which(given: Any) -> str:
    many = "jobs" in given if isinstance(given, dict) else isinstance(given, NewJobs)
    return "tag:many" if many else "tag:one"


NewJobOrJobs = Annotated[
    Annotated[NewJob, Tag("tag:one")] | Annotated[NewJobs, Tag("tag:many")], Discriminator(_which)
]


def once(caller: Caller, key: str | None, asked: BaseModel | Mapping[str, Any]) -> Once | None:
    """How a repetition of this request is known; None without a key."""
    if key is None:
        return None
    plain = asked.model_dump(mode="json") if isinstance(asked, BaseModel) else asked
    return Once(caller.tenant_id, read_key(key), fingerprint(plain))


def submissions(
    caller: Caller, asked: NewJob | NewJobs, there: Mapping[str, Destination], traceparent: str | None
) -> list[Submission]:
    """The jobs of a request, each with the place where it stands there."""
    if isinstance(asked, NewJob):
        return [_submission(caller, asked, there, traceparent, "body.")]
    return [
        _submission(caller, one, there, traceparent, f"body.jobs.{index}.")
        for index, one in enumerate(asked.jobs)
    ]


def _submission(
    caller: Caller,
    one: NewJob,
    there: Mapping[str, Destination],
    traceparent: str | None,
    place: str,
) -> Submission:
    return Submission(
        request=one.request,
        reference=one.reference,
        metadata=one.metadata,
        updates=one.updates,
        destinations=_routes(one.destinations, there),
        deadline_seconds=one.deadline_seconds,
        tenant_id=caller.tenant_id,
        account=one.account,
        end_user=one.end_user,
        traceparent=traceparent,
        place=place,
    )


def _routes(
    wanted: Sequence[NewRoute | str] | None, there: Mapping[str, Destination]
) -> tuple[Route | str, ...] | None:
    return None if wanted is None else tuple(_route(one, there) for one in wanted)


def _route(one: NewRoute | str, there: Mapping[str, Destination]) -> Route | str:
    """What is not said of a destination is as it is configured; one that is not there is refused later."""
    if isinstance(one, str):
        return one
    known = there.get(one.to)
    if known is None:
        return one.to
    outcomes: tuple[Outcome, ...] = known.route.outcomes if one.outcomes is None else one.outcomes
    return Route(one.to, outcomes, known.route.link if one.deliver is None else one.deliver == "link")
