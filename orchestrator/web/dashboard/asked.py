"""What the query of a page or a form says: read, or refused in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlencode

from orchestrator.errors import Misshapen, NotFound, Place

LARGEST_ID = 2**63 - 1  # what a database counts to
LONGEST = 300  # letters of what is searched for

Word = TypeVar("Word", bound=StrEnum)


def text(given: Mapping[str, Any], name: str) -> str | None:
    """What somebody wrote, None where that is nothing. Raises Misshapen."""
    found = str(given.get(name) or "").strip()
    if len(found) > LONGEST or "\x00" in found:
        raise Misshapen([Place(name, f"it has more than {LONGEST} letters, or one that no text has")])
    return found or None


def word(given: Mapping[str, Any], name: str, kind: type[Word]) -> Word | None:
    """One of several words, None where none was chosen. Raises Misshapen."""
    found = text(given, name)
    try:
        return None if found is None else kind(found)
    except ValueError:
        raise Misshapen([Place(name, f"it is one of {', '.join(kind)}")]) from None


def moment(given: Mapping[str, Any], name: str) -> float | None:
    """A moment in UTC, as browsers send it, in epoch seconds. Raises Misshapen."""
    found = text(given, name)
    try:
        at = None if found is None else datetime.fromisoformat(found)
        # A moment without a zone is meant in UTC, as all on the pages.
        return None if at is None else (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        raise Misshapen([Place(name, "it is not a time such as 2026-01-31T14:05")]) from None


def number(given: Mapping[str, Any], name: str, *, most: int = LARGEST_ID) -> int | None:
    """A whole number that is not negative, None where none was given. Raises Misshapen."""
    found = text(given, name)
    if found is None:
        return None
    if not (found.isascii() and found.isdigit()) or len(found) > 19 or int(found) > most:
        raise Misshapen([Place(name, f"it is not a whole number from 0 to {most}")])
    return int(found)


def row_id(given: Mapping[str, Any], name: str) -> int:
    """The id of a row in a path. Raises NotFound for what can be none."""
    try:
        found = number(given, name)
    except Misshapen:
        found = None
    if found is None:
        raise NotFound(f"there is no {name} of this number")
    return found


def query(given: Mapping[str, Any], **changes: Any) -> str:
    """The same query with some of it changed, None taken out; with its question mark, empty where it is."""
    said = {**given, **changes}
    kept = {name: value for name, value in said.items() if value not in (None, "")}
    return f"?{urlencode(kept)}" if kept else ""
