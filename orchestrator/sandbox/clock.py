"""The gateway's sense of time: wall clock for what is shown, scaled waits for what happens."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

TICK_SECONDS = 300.0  # reconciliation, retries and the outbox run when minute % 5 == 0


def iso(at: float) -> str:
    """Wall time as the gateway's JavaScript writes it, in milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """Wall time now, and waits divided by the time scale."""

    def __init__(self, time_scale: float) -> None:
        if not time_scale > 0:
            raise ValueError(f"time_scale must be above 0, not {time_scale}")
        self.time_scale = time_scale

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def scaled(self, seconds: float) -> float:
        """Real seconds that stand for this many gateway seconds."""
        return seconds / self.time_scale

    def next_tick(self, not_before: float) -> float:
        """The first cron tick at or after a wall time."""
        period = self.scaled(TICK_SECONDS)
        return math.ceil(not_before / period) * period

    def call_at(self, at: float, action: Callable[[], object]) -> asyncio.TimerHandle:
        """Run an action at a wall time, or as soon as possible when that is past."""
        return asyncio.get_running_loop().call_later(max(0.0, at - self.now()), action)

    async def sleep_until(self, at: float) -> None:
        """Wait until a wall time."""
        await asyncio.sleep(max(0.0, at - self.now()))
