"""One request of somebody who signed in, and the two kinds of routes: what is shown, and what is done.

A page is `async def overview(visit: Visit) -> Response`; modules in `pages/` list their routes, made by
`shown` and `acted`. Nothing is done by a GET, and nothing by a POST that another site's page sent.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from orchestrator.core.access import Caller, Scope
from orchestrator.core.keys import Kind
from orchestrator.errors import Forbidden, OrchestratorError, StoreError, Unauthorized
from orchestrator.telemetry import Event, log, request_id
from orchestrator.web.api.door import Door
from orchestrator.web.dashboard.rendering import render
from orchestrator.web.problems import BUG, STATUSES

BEGINNING = "/dashboard"
SESSION = "hjo_session"  # cookies
NOTICE = "hjo_notice"
# Everything comes from here, and nothing is run or styled that stands in a page.
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# For a form's origin only the browser's word counts, and it is "null" where referrers are not sent at all.
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
NAVIGATION = (  # path, name, scope
    ("", "Overview", Scope.READ),
    ("/jobs", "Jobs", Scope.READ),
    ("/inbox", "Inbox", Scope.READ),
    ("/destinations", "Destinations", Scope.READ),
    ("/uncertain", "Uncertain creates", Scope.READ),
)
# What an error comes to, by its status; of most it is that nothing was done.
IN_SHORT = {403: "not allowed", 404: "not there", 422: "not understood", 429: "not now", 503: "not now"}
Page = Callable[["Visit"], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `form` is what was sent, empty where a page is only shown."""

    request: Request
    door: Door
    caller: Caller
    session: str = field(repr=False)
    form: FormData = field(default_factory=FormData)

    @property
    def tenant_id(self) -> str | None:
        """Whose rows are seen: None for those of all tenants."""
        return None if Scope.INSTALLATION in self.caller.scopes else self.caller.tenant_id

    def may(self, scope: Scope) -> bool:
        """Whether they may do what needs this scope."""
        return scope in self.caller.scopes

    def require(self, scope: Scope) -> None:
        """Raises Forbidden."""
        if not self.may(scope):
            raise Forbidden(
                f"the API key that you signed in with lacks the scope {scope}",
                hint=f"`orchestrator keys make --name … --scope read --scope {scope}` makes one that has it",
            )

    @property
    def csrf(self) -> str:
        """What each form of this session has in it, which no other site can know."""
        return hmac.new(self.session.encode(), b"csrf", sha256).hexdigest()

    def page(self, template: str, *, status: int = 200, **facts: Any) -> Response:
        """A page, with what all pages have."""
        common = {
            "beginning": BEGINNING,
            "path": self.request.url.path,
            "url": str(self.request.url.replace(scheme="", netloc="")),
            "navigation": [one[:2] for one in NAVIGATION if self.may(one[2])],
            "caller": self.caller,
            "scopes": self.caller.scopes,
            "everywhere": self.tenant_id is None,
            "csrf": self.csrf,
            "status": status,
            "notice": self.request.cookies.get(NOTICE),
        }
        answer = HTMLResponse(render(template, common | facts), status, HEADERS)
        if common["notice"]:
            answer.delete_cookie(NOTICE, path=BEGINNING)
        return answer

    def done(self, to: str, notice: str) -> Response:
        """Something was done: they go on to a page, a path below ours, which says so."""
        answer = RedirectResponse(BEGINNING + to, 303)
        secure = self.request.url.scheme == "https"
        answer.set_cookie(
            NOTICE,
            quote(notice),
            max_age=60,
            path=BEGINNING,
            secure=secure,
            httponly=True,
            samesite="strict",
        )
        return answer


def shown(path: str, page: Page, *, scope: Scope = Scope.READ) -> Route:
    """A page that is shown to those who have this scope, at a path below `BEGINNING`."""

    async def answer(request: Request) -> Response:
        visit = await _visit(request)
        if visit is None:
            back = {"next": request.url.path + (f"?{request.url.query}" if request.url.query else "")}
            return RedirectResponse(f"{BEGINNING}/sign-in?{urlencode(back)}", 303)
        return await _answered(visit, page, scope)

    return Route(BEGINNING + path, answer, methods=["GET"], name=page.__name__)


def acted(path: str, act: Page, *, scope: Scope) -> Route:
    """Something that those do who have this scope, by a form of ours."""

    async def answer(request: Request) -> Response:
        require_own_form(request)
        visit = await _visit(request, await request.form())
        if visit is None:
            raise Unauthorized("you are signed out", hint="sign in, and do it again")
        if not hmac.compare_digest(str(visit.form.get("csrf", "")).encode(), visit.csrf.encode()):
            raise Forbidden("this form is not of your session", hint="open the page again, and do it there")
        return await _answered(visit, act, scope)

    return Route(BEGINNING + path, answer, methods=["POST"], name=act.__name__)


async def _visit(request: Request, form: FormData | None = None) -> Visit | None:
    """Whoever signed in, None for whoever did not. Raises StoreError."""
    door: Door = request.app.state.door
    session = request.cookies.get(SESSION, "")
    caller = await who_is(door, session)
    if caller is None:
        return None
    request.state.caller = caller  # for the log line of this request
    return Visit(request, door, caller, session, form or FormData())


async def who_is(door: Door, session: str) -> Caller | None:
    """Whose session this is; None where it has ended, or the key that it stands for. Raises StoreError."""
    try:
        known = door.guard.known(session, Kind.SESSION)
        return known or await door.run(partial(door.guard.identify, session, Kind.SESSION))
    except Unauthorized:
        return None


async def _answered(visit: Visit, page: Page, scope: Scope) -> Response:
    try:
        visit.require(scope)
        return await page(visit)
    except OrchestratorError as error:
        return visit.page("error.html", back=_came_from(visit.request), **told(error))


def _came_from(request: Request) -> str | None:
    """The page of ours that has the form which was sent: there it can be seen how things stand by now."""
    page = urlsplit(request.headers.get("referer", ""))
    ours = page.netloc == request.url.netloc and page.path.startswith(f"{BEGINNING}/")
    if request.method != "POST" or not ours:
        return None
    return page.path + (f"?{page.query}" if page.query else "")


def told(error: OrchestratorError) -> dict[str, Any]:
    """What an error page says: what happened, why, what to do, and by which status."""
    status = next((status for kind, status, _ in STATUSES if isinstance(error, kind)), BUG[0])
    if isinstance(error, StoreError):  # what the database said is for the log
        log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
        return said(status, "the database cannot be used now", "load this page again in a moment")
    return said(status, error.message, error.hint)


def said(status: int, message: str, hint: str = "") -> dict[str, Any]:
    """The facts of an error page."""
    short = IN_SHORT.get(status, "not done")
    return {
        "status": status,
        "short": short,
        "message": message,
        "hint": hint,
        "request_id": request_id(),
    }


def require_own_form(request: Request) -> None:
    """Raises Forbidden for a form that another site's page sent. Browsers say so; whoever else need not."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if foreign or (origin and urlsplit(origin).netloc != request.url.netloc):
        raise Forbidden(
            "this form was sent by a page of another site", hint="open the dashboard, and do it there"
        )
