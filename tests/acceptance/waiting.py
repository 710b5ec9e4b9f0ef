"""Waiting for something to become true, with a deadline and a reason."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests import patience

Found = TypeVar("Found")
LONG = patience.LONG
SOON, SELDOM = 0.04, 0.25  # seconds between two looks
SHARE = 0.03  # of what was waited already: looks take the time of what they wait for


def until(what: str, look: Callable[[], Found], seconds: float = LONG, every: float | None = None) -> Found:
    """The first true thing that `look` sees, every so many seconds or the more seldom the longer it takes."""
    began = time.monotonic()
    while True:
        found = look()
        if found:
            return found
        waited = time.monotonic() - began
        if waited > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every or min(max(SOON, waited * SHARE), SELDOM))
