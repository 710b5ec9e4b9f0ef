"""Signing in with an API key, and out."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from orchestrator.core.access import Caller, Scope
from orchestrator.core.keys import Kind
from orchestrator.engine import granting
from orchestrator.errors import Forbidden, Unauthorized
from orchestrator.web.api.door import Door
from orchestrator.web.dashboard.rendering import render
from orchestrator.web.dashboard.visit import BEGINNING, HEADERS, SESSION, Visit, acted, require_own_form


async def sign_in(request: Request) -> Response:
    """Asks for a key."""
    return _asked(request.query_params.get("next", ""))


async def signed_in(request: Request) -> Response:
    """Takes a key, and begins a session with it."""
    require_own_form(request)
    form = await request.form()
    door: Door = request.app.state.door
    to = str(form.get("next", ""))
    try:
        caller = await door.run(partial(_identified, door, str(form.get("key", "")).strip()))
    except (Unauthorized, Forbidden) as error:
        return _asked(to, error.message, error.hint)
    session = await door.run(
        partial(granting.begin_session, door.context.store, door.guard.chance, caller.id)
    )
    answer = RedirectResponse(_ours(to), 303)
    answer.set_cookie(
        SESSION,
        session.get_secret_value(),
        max_age=int(granting.SESSION_LASTS),
        path=BEGINNING,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",  # a link in a message leads to a page, and not to signing in again
    )
    return answer


def _identified(door: Door, key: str) -> Caller:
    caller = door.guard.identify(key, Kind.KEY)
    if Scope.READ not in caller.scopes:
        raise Forbidden(
            "this API key lacks the scope read", hint="orchestrator keys make --name … --scope read makes one"
        )
    return caller


async def sign_out(visit: Visit) -> Response:
    """Ends the session."""
    await visit.door.run(partial(granting.end_session, visit.door.context.store, visit.session))
    visit.door.guard.forget(visit.session, Kind.SESSION)
    answer = RedirectResponse(f"{BEGINNING}/sign-in", 303)
    answer.delete_cookie(SESSION, path=BEGINNING)
    return answer


def _asked(to: str, message: str = "", hint: str = "") -> Response:
    facts = {"beginning": BEGINNING, "next": to, "message": message, "hint": hint}
    return HTMLResponse(render("sign_in.html", facts), 401 if message else 200, HEADERS)


def _ours(to: str) -> str:
    """Where to go on: a path of ours, whatever a link said."""
    own = to == BEGINNING or to.startswith((f"{BEGINNING}/", f"{BEGINNING}?"))
    return to if own and "\\" not in to and to.isprintable() else BEGINNING


routes = [
    Route(f"{BEGINNING}/sign-in", sign_in, methods=["GET"]),
    Route(f"{BEGINNING}/sign-in", signed_in, methods=["POST"]),
    acted("/sign-out", sign_out, scope=Scope.READ),
]
