"""How much of the API one tenant may use: requests a minute over all processes, streams of this process."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from orchestrator.core.access import Caller
from orchestrator.errors import RateLimited, Retry
from orchestrator.settings import Settings
from orchestrator.telemetry import Event, log

if TYPE_CHECKING:
    from orchestrator.web.api.shared_limits import SharedLimits

REDIS_AGAIN_AFTER = 5.0  # seconds for which Redis is not asked after it failed
LEFT_BELIEVED = 1.0  # seconds for which what is left is reckoned instead of asked for
WINDOW = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """How a tenant stands: so many requests are left, and more will be in so many seconds."""

    allowed: bool
    per_minute: int
    left: int
    more_in: int
    believed_until: float

    def require(self) -> None:
        """Raises RateLimited for one request too many."""
        if not self.allowed:
            raise RateLimited(
                f"more than {self.per_minute} requests within a minute",
                hint=f"ask again in {self.more_in} s",
                retry=Retry(again=True, after=self.more_in),
            )

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has it."""
        return {
            "RateLimit-Policy": f'"tenant";q={self.per_minute};w={WINDOW}',
            "RateLimit": f'"tenant";r={self.left};t={self.more_in}',
        }


class Limits:
    """Counts. Where there is Redis, all processes count together; while it is away, each for itself.

    To be used on one event loop. `clock` counts seconds of this process.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._settings, self._clock, self._wall_clock = settings, clock, wall_clock
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = _shared(settings.broker_url.get_secret_value())
        self._away_until: float | None = None
        self._standings: dict[str, Standing] = {}
        self._streams: Counter[tuple[str, str]] = Counter()

    async def count(self, caller: Caller) -> Standing | None:
        """One more request of this tenant; None where it has no limit."""
        per_minute = caller.requests_per_minute
        if per_minute is None:
            per_minute = self._settings.requests_per_minute
        if not per_minute:
            return None
        return await self._hit(RateLimitItemPerMinute(per_minute), caller.tenant_id)

    @contextmanager
    def stream(self, caller: Caller) -> Iterator[None]:
        """One more stream of this tenant for as long as it lasts. Raises RateLimited."""
        names = {("tenant", caller.tenant_id): self._settings.streams_per_tenant}
        if caller.by_token:
            names["token", caller.id] = self._settings.streams_per_token
        for (whose, _), most in ((name, most) for name, most in names.items() if self._streams[name] >= most):
            raise RateLimited(
                f"this {whose} holds {most} streams open",
                hint="close one",
                retry=Retry(again=True, after=WINDOW),
            )
        self._streams.update(names.keys())
        try:
            yield
        finally:
            self._streams.subtract(names.keys())
            for name in names:
                if not self._streams[name]:
                    del self._streams[name]

    async def close(self) -> None:
        """End the connections to Redis."""
        if self._shared:
            await self._shared.close()

    async def _hit(self, item: RateLimitItemPerMinute, tenant: str) -> Standing:
        if self._shared and (self._away_until is None or self._clock() >= self._away_until):
            try:
                async with asyncio.timeout(self._shared.within):
                    found = await self._ask(self._shared.limiter, item, tenant)
            except self._shared.failures as error:
                self._lost(error)
            else:
                self._away_until = None
                return found
        return await self._ask(self._own, item, tenant)

    async def _ask(
        self, limiter: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, tenant: str
    ) -> Standing:
        known = self._standings.get(tenant)
        if known and known.per_minute == item.amount and self._clock() < known.believed_until:
            allowed = await limiter.hit(item, tenant)
            found = replace(known, allowed=allowed, left=max(0, known.left - 1) if allowed else 0)
        else:
            # Both at once: one wait for Redis, not two.
            hit, told = limiter.hit(item, tenant), limiter.get_window_stats(item, tenant)
            allowed, stats = await asyncio.gather(hit, told)
            more_in = min(WINDOW, max(1, ceil(stats.reset_time - self._wall_clock())))
            left = stats.remaining if allowed else 0
            found = Standing(allowed, item.amount, left, more_in, self._clock() + LEFT_BELIEVED)
        self._standings[tenant] = found
        return found

    def _lost(self, error: Exception) -> None:
        if self._away_until is None:
            # Not its words: they may hold the URL, and that a password.
            log(Event.LIMITS_ALONE, level=logging.WARNING, error=type(error).__name__)
        self._away_until = self._clock() + REDIS_AGAIN_AFTER


def _shared(broker_url: str) -> SharedLimits | None:
    if not broker_url:
        return None
    # The client of Redis is large, and `up` has no Redis.
    from orchestrator.web.api.shared_limits import SharedLimits

    return SharedLimits(broker_url)
