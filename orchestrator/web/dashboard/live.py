"""Tells a page that something has changed: it asks for itself again, and shows what is new.

What a page shows is made in one place, on the server, whether it is opened or kept up to date.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from sse_starlette import ServerSentEvent
from starlette.responses import Response

from orchestrator.web import hub
from orchestrator.web.api.streams import HEARTBEAT, Listener, Stream
from orchestrator.web.dashboard.visit import Visit, shown

AT_MOST_EVERY = 1.0  # seconds


async def live(visit: Visit) -> Response:
    """A stream of `changed`, without end."""
    return Stream(visit.door, visit.caller, _changes(visit))


async def _changes(visit: Visit) -> AsyncGenerator[ServerSentEvent | bytes, None]:
    whose = hub.EVERYBODY if visit.tenant_id is None else hub.of_tenant(visit.tenant_id)
    listener = Listener(visit.door, visit.caller)
    yield ServerSentEvent(retry=2_000, sep="\n")
    async with visit.door.hub.follow(whose) as following:
        following.begin()
        while not following.over and await listener.may_stay():
            if await following.take(HEARTBEAT) or following.missed:
                if following.missed:  # whatever it was: the page asks for all of it
                    following.begin()
                yield ServerSentEvent("{}", event="changed", sep="\n")
                await asyncio.sleep(AT_MOST_EVERY)


routes = [shown("/live", live)]
