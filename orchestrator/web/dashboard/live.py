"""Tells a page that something has changed: it asks for itself again, and shows what is new.

What a page shows is made in one place, on the server, whether it is opened or kept up to date.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from sse_starlette import ServerSentEvent
from starlette.responses import Response

from orchestrator.errors import StoreError
from orchestrator.web import hub
from orchestrator.web.api.streams import HEARTBEAT, Stream
from orchestrator.web.dashboard.visit import Visit, shown, who_is

AT_MOST_EVERY = 1.0  # seconds


async def live(visit: Visit) -> Response:
    """A stream of `changed`, until they sign out or their key ends."""
    return Stream(visit.door, visit.caller, _changes(visit))


async def _changes(visit: Visit) -> AsyncGenerator[ServerSentEvent | bytes, None]:
    whose = hub.EVERYBODY if visit.tenant_id is None else hub.of_tenant(visit.tenant_id)
    async with visit.door.hub.follow(whose) as following:
        following.begin()
        yield ServerSentEvent(retry=2_000, sep="\n")  # whatever comes after this is told
        while not following.over and await _is_signed_in(visit):
            if await following.take(HEARTBEAT) or following.missed:
                if following.missed:  # whatever it was: the page asks for all of it
                    following.begin()
                yield ServerSentEvent("{}", event="changed", sep="\n")
                await asyncio.sleep(AT_MOST_EVERY)


async def _is_signed_in(visit: Visit) -> bool:
    """Whether they still are; while the database is away, whoever was."""
    with suppress(StoreError):
        async with visit.door.hub.reading():
            return await who_is(visit.door, visit.session) is not None
    return True


routes = [shown("/live", live)]
