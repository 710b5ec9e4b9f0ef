"""Waiting for something to become true, with a deadline and a reason."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests import patience

Found = TypeVar("Found")
LONG = patience.LONG


def until(what: str, look: Callable[[], Found], seconds: float = LONG, every: float = 0.04) -> Found:
    """The first true thing that `look` sees."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(every)
