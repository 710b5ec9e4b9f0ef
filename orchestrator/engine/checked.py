"""What must be true of a job before it is kept: each place that is wrong is named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.core.gateway_request import wrong_places
from orchestrator.errors import Misshapen, Place, RequestError

if TYPE_CHECKING:
    from orchestrator.engine.submit import Submission

LONGEST_NAME = 200
MOST_PLACES = 100  # that one refusal names


def require_sound(wanted: Sequence[Submission]) -> None:
    """Raise Misshapen with all places that are wrong, and RequestError for what cannot be kept."""
    for one in wanted:
        _require_text(one)
    found = [replace(place, at=one.place + place.at) for one in wanted for place in _wrong(one)]
    if found:
        raise Misshapen(found[:MOST_PLACES])


def _wrong(one: Submission) -> Iterator[Place]:
    for place in wrong_places(one.request):
        yield replace(place, at=f"request.{place.at}")
    for name in ("reference", "end_user"):
        value: str | None = getattr(one, name)
        if value is not None and "\x00" in value:
            yield Place(name, "it has a NUL character: databases keep none")
        if value is not None and not 0 < len(value) <= LONGEST_NAME:
            yield Place(name, f"it has 1 to {LONGEST_NAME} characters")
    if one.deadline_seconds is not None and not one.deadline_seconds > 0:
        yield Place("deadline_seconds", "a deadline is more than 0 seconds away")


def _require_text(one: Submission) -> None:
    """What is kept must come out again as JSON in UTF-8, for the gateway and for whoever is handed it."""
    try:
        given = (one.request, one.metadata, one.reference, one.end_user)
        json.dumps(given, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError(
            f"the request, metadata or reference cannot be kept: {type(error).__name__}",
            hint="use JSON in UTF-8: no NaN, no infinity, no half of a surrogate pair, no endless nesting",
        ) from error
