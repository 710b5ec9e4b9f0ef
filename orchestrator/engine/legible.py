"""What was learned, read again; a row that cannot be read stops nobody from learning anew."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from orchestrator.telemetry import Event, log

Known = TypeVar("Known")

# What reading a row of another version, or one that somebody wrote into, may meet.
ILLEGIBLE = (KeyError, TypeError, ValueError, AttributeError, IndexError)


def legible(read: Callable[[Mapping[str, Any]], Known], data: Mapping[str, Any]) -> Known:
    """What a row says; nothing known where it cannot be read, until what is learned next replaces it."""
    try:
        return read(data)
    except ILLEGIBLE as error:
        log(Event.ESTIMATE_BROKE, level=logging.ERROR, reading=read.__name__, error=repr(error))
        return read({})
