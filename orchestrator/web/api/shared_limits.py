"""What all processes count together: in Redis."""

from __future__ import annotations

from typing import Any, ClassVar

from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.exceptions import RedisError

REDIS_WITHIN = 1.0  # seconds: a request does not wait longer to be counted
CONNECTIONS = 16  # to Redis at most: a thousand requests at once wait in turn, and open no thousand


class SharedLimits:
    """The limiter of all processes, over connections of its own."""

    within: ClassVar = 2 * REDIS_WITHIN  # seconds for one count, a wait for a connection among them
    failures: ClassVar = (RedisError, OSError, TimeoutError)  # what counting may raise

    def __init__(self, url: str) -> None:
        self._connections = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=REDIS_WITHIN,
            socket_timeout=REDIS_WITHIN,
            socket_connect_timeout=REDIS_WITHIN,
        )
        given: dict[str, Any] = {"connection_pool": self._connections}
        storage = RedisStorage(
            f"async+{url}", implementation="redispy", key_prefix="orchestrator:limits", **given
        )
        self.limiter = SlidingWindowCounterRateLimiter(storage)

    async def close(self) -> None:
        """End the connections."""
        await self._connections.disconnect()
