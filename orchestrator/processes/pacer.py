"""Keeps the moments to look in step with what is learned; a file of its own: web loads no numpy."""

from __future__ import annotations

from contextlib import suppress

from orchestrator.engine.context import Context
from orchestrator.engine.pacing import Pacer
from orchestrator.errors import StoreError
from orchestrator.processes.timers import Timer

EVERY = 1.0  # seconds


def pacer(context: Context) -> Timer:
    """The timer; what is known already counts when this returns, before the first look."""
    made = Pacer(context)

    def refresh() -> None:
        made.refresh()

    with suppress(StoreError):  # the timer tries again
        refresh()
    return Timer("pacer", EVERY, refresh)
