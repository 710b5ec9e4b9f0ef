"""Headers that are known before the answer is: whatever a route answers, it has them."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TOLD = "orchestrator.told_headers"


def tell(request: Request, headers: Mapping[str, str]) -> None:
    """Let the answer to this request have these, be it a stream or an error."""
    request.scope.get(_TOLD, {}).update(headers)


class ToldHeaders:
    """Adds them as the answer starts."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        told: dict[str, str] = {}

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(MutableHeaders(scope=message), told)
            await send(message)

        scope[_TOLD] = told  # not in a copy: who stands outside wants to know the route in the end
        await self.app(scope, receive, telling)


def _add(headers: MutableHeaders, told: Mapping[str, str]) -> None:
    for name, value in told.items():
        if name.lower() == "vary":
            headers.add_vary_header(value)
        else:
            headers[name] = value
