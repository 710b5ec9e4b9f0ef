"""The API as one application: its routes, and how every error becomes a problem document."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from orchestrator import __version__
from orchestrator.errors import OrchestratorError, Place, StoreError
from orchestrator.telemetry import Event, log
from orchestrator.web.api import events, hand_offs, jobs, keys, outputs, tokens
from orchestrator.web.api.door import Door
from orchestrator.web.api.openapi import document
from orchestrator.web.api.preflight import Preflight
from orchestrator.web.api.told_headers import ToldHeaders
from orchestrator.web.problems import of_error, problem

# One line for each file of routes.
ROUTERS: Sequence[APIRouter] = (
    jobs.router,
    events.router,
    outputs.router,
    hand_offs.router,
    keys.router,
    tokens.router,
)
PREFIX = "/v1"
MOST_TOLD = 100  # things that are wrong with one request

# Its own would be a second trace of each request, and would log what is wrong with a body, word for word.
_NONE_OF_ITS_OWN: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
_CODES = {404: "no_such_path", 405: "method_not_allowed", 413: "too_large"}


def make_api(door: Door) -> FastAPI:
    """All routes under `/v1`. The door is closed when the application ends."""
    app = without_door(lifespan=_closing(door))
    app.state.door = door
    return app


def without_door(lifespan: Any = None) -> FastAPI:
    """As it is described: it can say what it would answer, and answer nothing."""
    app = FastAPI(
        title="Hybrid job orchestrator",
        version=__version__,
        docs_url=None,  # it would load its pages from elsewhere
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry=_NONE_OF_ITS_OWN,
    )
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.add_route("/openapi.json", _described(app), include_in_schema=False)
    app.add_exception_handler(OrchestratorError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)
    app.add_middleware(Preflight)
    app.add_middleware(ToldHeaders)
    return app


def _described(app: FastAPI) -> Callable[[Request], Awaitable[Response]]:
    """The OpenAPI document, for everybody: it says nothing about anybody's jobs."""
    made: list[bytes] = []

    async def described(_: Request) -> Response:
        if not made:
            made.append(json.dumps(document(app)).encode())
        return Response(made[0], media_type="application/json")

    return described


def _closing(door: Door) -> Any:
    @asynccontextmanager
    async def serving(_: FastAPI) -> AsyncIterator[None]:
        yield
        await door.limits.close()
        door.guard.close()
        door.close()

    return serving


async def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, OrchestratorError)
    if isinstance(error, StoreError):
        log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
    return of_error(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    places = [Place(_where(one["loc"]), _what(one)) for one in error.errors()[:MOST_TOLD]]
    detail = f"{places[0].at}: {places[0].detail}"
    return problem(422, "invalid_request", detail, places=places)


def _where(location: Sequence[Any]) -> str:
    # A union's branches have names of their own, which nobody sent.
    return ".".join(str(part) for part in location if not str(part).startswith("tag:"))


def _what(error: dict[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "invalid_request")
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request.url.path)))
    return problem(error.status_code, code, error.detail, headers)


def _methods(path: str) -> set[str]:
    """All that a path may be asked by: each route knows its own alone."""
    inner = path.removeprefix(PREFIX)
    routes = (route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute))
    return {one for route in routes if route.path_regex.match(inner) for one in route.methods or ()}


async def _bug(_: Request, __: Exception) -> Response:
    """The server logs what it was, with its traceback."""
    detail = "this is a bug of the orchestrator's; its log says more"
    return problem(500, "internal_error", detail)
