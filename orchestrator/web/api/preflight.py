"""What a browser asks first, before a page on another origin may send more than the plainest request."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.errors import OrchestratorError
from orchestrator.web.api.authentication import PREFLIGHT, visitor
from orchestrator.web.problems import of_error


class Preflight:
    """Answers OPTIONS for those who have a come-back token. API keys are not for browsers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight request, and leave all else to the routes."""
        if scope["type"] == "http" and _is_preflight(request := Request(scope, receive)):
            await (await _answer(request))(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _is_preflight(request: Request) -> bool:
    asks = {"origin", "access-control-request-method"} <= set(request.headers)
    return request.method == "OPTIONS" and asks and "token" in request.query_params


async def _answer(request: Request) -> Response:
    try:
        await visitor(request.app.state.door, request, request.query_params["token"])
    except OrchestratorError as error:  # no handler of the application is above this
        return of_error(error)
    return Response(status_code=204, headers=PREFLIGHT)
