"""The gateway's ticks: on them ends of some jobs are noticed, and webhooks are sent again (2.3, 4.4)."""

from __future__ import annotations

TICK = 300.0  # seconds
TAKES = 10.0  # seconds after it that something still happens because of it


def on_tick(at: float) -> bool:
    """Whether this moment, in epoch seconds, is one of a tick: of any moments one in thirty is by chance."""
    return at % TICK < TAKES
