"""Routes whose JSON is read strictly: what is kept must come out again as it came in."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.strict_json import NotJson, loads
from orchestrator.web.api.authentication import identified
from orchestrator.web.problems import problem

JSON = "application/json"
LARGE = 65_536  # bytes of a body that others are not to wait for while it is read


class _Strict(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = await run_in_threadpool(loads, body) if len(body) > LARGE else loads(body)
        return self._json


class StrictRoute(APIRoute):
    """A route that takes JSON only as JSON: UTF-8, no key twice, no NaN, nothing nested endlessly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        answer = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            strict = _Strict(request.scope, request.receive)
            if refusal := await _refusal(strict):
                return refusal
            return await answer(strict)

        return strictly


async def _refusal(request: Request) -> Response | None:
    if request.method not in ("POST", "PUT", "PATCH") or not await request.body():
        return None
    # Before anything is read out of it: what strangers send is to cost nothing.
    await identified(request.app.state.door, request, tokens=False)
    media_type, _, rest = request.headers.get("content-type", "").partition(";")
    charset = rest.strip().lower().replace('"', "")
    if media_type.strip().lower() != JSON or charset not in ("", "charset=utf-8"):
        return problem(415, "unsupported_media_type", f"bodies are {JSON} in UTF-8")
    try:
        await request.json()
    except NotJson as error:
        return problem(400, "invalid_json", str(error))
    return None


def api_router() -> APIRouter:
    """A router for routes of the API."""
    return APIRouter(route_class=StrictRoute)
