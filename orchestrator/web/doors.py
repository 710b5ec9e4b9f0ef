"""Which door a request is for: API, dashboard, an archived output or the receiver; by path and by port."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send


class Part(StrEnum):
    """A part of what is served."""

    API = "api"
    DASHBOARD = "dashboard"
    OUTPUTS = "outputs"  # by signed links
    WEBHOOKS = "webhooks"
    HEALTH = "health"


# What each port serves where the API has one of its own; health is served by both.
FOR_GATEWAY = frozenset({Part.WEBHOOKS, Part.HEALTH})
FOR_CALLERS = frozenset({Part.API, Part.DASHBOARD, Part.OUTPUTS, Part.HEALTH})

_BEGINNINGS = (
    ("/v1/", Part.API),
    ("/openapi.json", Part.API),
    ("/dashboard", Part.DASHBOARD),
    ("/outputs/", Part.OUTPUTS),
    ("/webhooks/", Part.WEBHOOKS),
)


@dataclass(frozen=True, slots=True)
class Doors:
    """One application made of several. `ports` says which parts a port serves, all where it does not.

    `behind` are those that begin and end with it. No part has to pass through another one's application.
    `elsewhere` answers what another port is for.
    """

    parts: Mapping[Part, ASGIApp]
    behind: tuple[Starlette, ...]
    ports: Mapping[int, frozenset[Part]]
    elsewhere: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of all."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        part, server = part_of(scope["path"]), scope["server"]
        if part in self.parts and part in self.ports.get(server[1] if server else 0, self.parts):
            await self.parts[part](scope, receive, send)
        else:
            await self.elsewhere(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            for app in self.behind:
                await stack.enter_async_context(app.router.lifespan_context(app))
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def part_of(path: str) -> Part:
    """The part that a path belongs to; whatever is unknown is the receiver's to refuse."""
    if path == "/":
        return Part.DASHBOARD
    return next((part for beginning, part in _BEGINNINGS if path.startswith(beginning)), Part.HEALTH)
