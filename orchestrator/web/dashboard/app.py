"""The dashboard as one application: its routes, its own files, and how every error becomes a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from orchestrator.errors import OrchestratorError
from orchestrator.web.api.door import Door
from orchestrator.web.dashboard import live, signing_in
from orchestrator.web.dashboard.pages import destinations, inbox, job, jobs, many, overview, uncertain
from orchestrator.web.dashboard.rendering import render, static
from orchestrator.web.dashboard.visit import BEGINNING, HEADERS, said, told

# One line for each file of pages.
PAGES: Sequence[Sequence[BaseRoute]] = (
    signing_in.routes,
    live.routes,
    overview.routes,
    jobs.routes,
    many.routes,
    job.routes,
    inbox.routes,
    destinations.routes,
    uncertain.routes,
)
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}  # its URL changes with it


def make_dashboard(door: Door) -> Starlette:
    """All pages, at `BEGINNING`. The door is not closed by it."""
    app = Starlette(
        routes=[
            Route("/", _home),
            Route(f"{BEGINNING}/static/{{name}}", _file),
            *chain.from_iterable(PAGES),
        ],
        exception_handlers={
            OrchestratorError: _ours,
            HTTPException: _http,
            Exception: _bug,
        },
    )
    app.router.redirect_slashes = False
    app.state.door = door
    return app


async def _home(_: Request) -> Response:
    return RedirectResponse(BEGINNING, 303)


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    kind = _TYPES.get(name.rpartition(".")[2])
    try:
        if kind is None:
            raise FileNotFoundError
        return Response(static(name), media_type=kind, headers=_FOR_EVER)
    except FileNotFoundError:
        return _alone(said(404, f"there is no {name}"))


async def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, OrchestratorError)
    return _alone(told(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    url = request.url
    if error.status_code == 404:
        if request.method == "GET" and url.path.startswith(f"{BEGINNING}/") and url.path.endswith("/"):
            return RedirectResponse(url.path.rstrip("/") + (f"?{url.query}" if url.query else ""), 303)
        return _alone(said(404, "there is no such page", "the overview leads to all that there are"))
    if error.status_code == 405:
        hint = "open the page that has the form, and do it there"
        return _alone(said(405, "nothing is shown here, or done in this way", hint), error.headers)
    return _alone(said(error.status_code, error.detail), error.headers)


async def _bug(_: Request, __: Exception) -> Response:
    """The server logs what it was, with its traceback."""
    return _alone(said(500, "this is a bug of the orchestrator's; its log says more"))


def _alone(facts: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """An error's page without the frame of the others: who asks may not be known."""
    page = render("error_alone.html", {"beginning": BEGINNING, **facts})
    return HTMLResponse(page, facts["status"], HEADERS | dict(headers or {}))
