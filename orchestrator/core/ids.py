"""Ids of jobs: they sort by the time at which they were made."""

from __future__ import annotations

import re

PREFIX = "job_"

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # those of a ULID, in their order
_TIME_DIGITS = 10  # of five bits each: milliseconds since the epoch
_LATEST = 2**48 - 1
_ID = re.compile(rf"{PREFIX}[{_DIGITS}]{{26}}", re.ASCII)


def job_id(unique: str) -> str:
    """The id of a new job; `unique` is a lower-case ULID."""
    return PREFIX + unique


def sane_job_id(given: str) -> str | None:
    """What somebody gave for an id, if it can be one."""
    return given if _ID.fullmatch(given) else None


def beginning_at(moment: float) -> str:
    """What sorts before each id that was made at this moment, in epoch seconds, or later."""
    left = min(max(int(moment * 1000), 0), _LATEST)
    digits = ""
    for _ in range(_TIME_DIGITS):
        left, digit = divmod(left, 32)
        digits = _DIGITS[digit] + digits
    return PREFIX + digits
