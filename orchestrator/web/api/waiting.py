"""The long poll: an answer once a job is ready. Whoever waits holds neither a thread nor a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request

from orchestrator.engine.standing import Standing
from orchestrator.web.api.door import Door
from orchestrator.web.hub import Following, of_job

LONGEST_WAIT = 60.0  # seconds
LOOKS_EVERY = 1.0  # seconds, whether or not something was told: a lost wake-up costs so much


async def until_ready(
    door: Door, request: Request, job_id: str, read: Callable[[], Standing], seconds: float
) -> Standing:
    """Where the job stands once it is ready, or after so many seconds, or when nobody waits any more."""
    if not seconds:
        return await door.run(read)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    # Before the first look, so that nothing can happen between it and the waiting. If the database is away,
    # it is that look which says so, and in time.
    async with door.hub.follow(of_job(job_id), within=LOOKS_EVERY) as following:
        found = await door.run(read)
        while (
            not found.ready and (left := until - loop.time()) > 0 and not await _in_vain(following, request)
        ):
            await following.take(min(left, LOOKS_EVERY))
            found = await door.run(read)
        return found


async def _in_vain(following: Following, request: Request) -> bool:
    return following.over or await request.is_disconnected()
