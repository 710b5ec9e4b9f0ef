"""The long poll: an answer once a job is ready. Whoever waits holds neither a thread nor a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request

from orchestrator.core.lifecycle import SETTLED
from orchestrator.engine.standing import Standing
from orchestrator.web.api.door import Door
from orchestrator.web.hub import Following, of_job

LONGEST_WAIT = 60.0  # seconds
THERE_EVERY = 1.0  # seconds; whether whoever waits is still there
# Seconds after which the database is asked though nothing was told. Of what follows an end, not all is.
LOOK_EVERY = 15.0
LOOK_EVERY_ENDED = 1.0


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
    async with door.hub.follow(of_job(job_id), within=THERE_EVERY) as following:
        found, looked = await door.run(read), loop.time()
        while (
            not found.ready and (left := until - loop.time()) > 0 and not await _in_vain(following, request)
        ):
            told = await following.take(min(left, THERE_EVERY))
            look = min(until, looked + (LOOK_EVERY_ENDED if found.job.state in SETTLED else LOOK_EVERY))
            if told or following.missed or loop.time() >= look:
                following.begin()
                found, looked = await door.run(read), loop.time()
        return found


async def _in_vain(following: Following, request: Request) -> bool:
    return following.over or await request.is_disconnected()
