"""Waiting for something to become true, with a deadline and a reason."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
LONG = 30.0  # seconds; what takes longer has gone wrong


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
