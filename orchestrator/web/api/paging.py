"""Pages of lists: how many at once, and where the next one goes on."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Query

from orchestrator.core import cursors
from orchestrator.errors import Misshapen, Place

LARGEST_ID = 2**63 - 1  # what a database counts to
_NUMBER = re.compile("[0-9]{1,19}", re.ASCII)

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=200, description="The `next` of the previous page, with the same filters."),
]


def begin(cursor: str | None, of: object) -> str | None:
    """The id after which the page begins. Raises Misshapen for a cursor of another list."""
    if cursor is None:
        return None
    last = cursors.read(cursor, of)
    if last is None:
        raise _of_another_list()
    return last


def number(cursor: str | None, of: object) -> int | None:
    """As `begin`, where ids are numbers. Raises Misshapen, also for what no database counts to."""
    last = begin(cursor, of)
    if last is None:
        return None
    if not _NUMBER.fullmatch(last) or int(last) > LARGEST_ID:
        raise _of_another_list()
    return int(last)


def following(last: object, of: object) -> str | None:
    """The cursor after this id, None at the end."""
    return None if last is None else cursors.write(str(last), of)


def _of_another_list() -> Misshapen:
    return Misshapen(
        [Place("query.cursor", "it is not of a list with these filters")],
        hint="begin without a cursor, or repeat the filters of the page that it came with",
    )
