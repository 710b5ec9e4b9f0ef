"""The long poll: an answer once a job is ready. Whoever waits holds neither a thread nor a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request

from orchestrator.engine.standing import Standing
from orchestrator.web.api.door import Door

LONGEST_WAIT = 60.0  # seconds
LOOKS_EVERY = 1.0  # seconds, whether or not something was told: a lost wake-up costs so much


async def until_ready(door: Door, request: Request, read: Callable[[], Standing], seconds: float) -> Standing:
    """Where the job stands once it is ready, or after so many seconds, or when nobody waits any more."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    found = await door.run(read)
    while not found.ready and (left := until - loop.time()) > 0 and not await _in_vain(door, request):
        await door.hub.changed(found.job.id, min(left, LOOKS_EVERY))
        found = await door.run(read)
    return found


async def _in_vain(door: Door, request: Request) -> bool:
    return door.hub.closing or await request.is_disconnected()
