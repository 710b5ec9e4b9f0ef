"""Who calls: `Authorization: Bearer hjo_…`, or `?token=hjt_…` where a come-back token is enough."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyQuery, HTTPBearer

from orchestrator.core.access import Caller, Scope
from orchestrator.core.keys import Kind
from orchestrator.errors import Forbidden, Unauthorized
from orchestrator.web.api.door import Door, DoorDep
from orchestrator.web.api.told_headers import tell

# For the document alone: what they would find in a request is not as strict as what is wanted.
_BEARER = HTTPBearer(scheme_name="apiKey", description="An API key: `hjo_…`", auto_error=False)
_QUERY = APIKeyQuery(
    name="token",
    scheme_name="token",
    description="A come-back token, for browsers: `hjt_…`",
    auto_error=False,
)
# What a page on another origin may read of an answer, besides its body.
_EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, RateLimit, RateLimit-Policy, "
    "Retry-After, X-Request-Id"
)
_SENT = "Accept, Cache-Control, If-Modified-Since, If-None-Match, If-Range, Last-Event-ID, Range"
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": _SENT,
    "Access-Control-Max-Age": "600",
}


def requires(scope: Scope | None, *, tokens: bool = False) -> Any:
    """A dependency that gives the Caller, who has this scope; `tokens`: a come-back token is enough.

    Raises Unauthorized, Forbidden and RateLimited.
    """
    key, token = Security(_BEARER, scopes=[scope] if scope else []), Security(_QUERY)

    # As defaults, not as annotations: those are read later, when `key` is not there any more.
    async def by_key(request: Request, door: DoorDep, _: Any = key) -> Caller:
        return await _caller(door, request, scope, tokens=False)

    async def by_either(
        request: Request,
        door: DoorDep,
        _: Any = key,
        __: Any = token,
    ) -> Caller:
        return await _caller(door, request, scope, tokens=True)

    return Depends(by_either if tokens else by_key)


async def _caller(door: Door, request: Request, scope: Scope | None, *, tokens: bool) -> Caller:
    caller = await identified(door, request, tokens=tokens)
    request.state.caller = caller  # for the log line of this request
    if standing := await door.limits.count(caller):
        tell(request, standing.headers())
        standing.require()
    if scope and scope not in caller.scopes:
        raise Forbidden(f"this API key lacks the scope {scope}", hint="use a key that has it, or make one")
    return caller


async def identified(door: Door, request: Request, *, tokens: bool) -> Caller:
    """Whoever calls, whatever they may do. Raises Unauthorized and Forbidden."""
    shown, kind = _shown(request, tokens=tokens)
    if kind is Kind.KEY:
        return await _ask(door, shown, kind)
    return await visitor(door, request, shown)


async def visitor(door: Door, request: Request, token: str) -> Caller:
    """Whoever holds this token, on a page that may use it. Raises Unauthorized and Forbidden."""
    origin = request.headers.get("origin")
    try:
        caller = await _ask(door, token, Kind.TOKEN)
    except Unauthorized:
        # Any page may read that its token is good for nothing: it learns no more than that.
        tell(request, readable_by(origin))
        raise
    if origin and origin not in caller.allowed_origins and origin not in _own_origins(door, request):
        raise Forbidden(
            "pages of this origin may not use this token",
            hint="`orchestrator tenants change TENANT --allow-origin https://…` lets them",
        )
    tell(request, readable_by(origin))
    return caller


async def _ask(door: Door, shown: str, kind: Kind) -> Caller:
    if known := door.guard.known(shown, kind):  # most often, and without a thread
        return known
    return await door.run(partial(door.guard.identify, shown, kind))


def readable_by(origin: str | None) -> Mapping[str, str]:
    """Headers that let pages of this origin read an answer, and let no cache give it to another one."""
    if not origin:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _EXPOSED,
        "Vary": "Origin",
    }


def _shown(request: Request, *, tokens: bool) -> tuple[str, Kind]:
    """What somebody shows, and of which kind it is meant to be. Raises Unauthorized."""
    if any(value.startswith(f"{Kind.KEY}_") for _, value in request.query_params.multi_items()):
        raise Unauthorized(
            "an API key must not be in a URL, which browsers, proxies and logs keep",
            hint="send it as `Authorization: Bearer`; revoke this one, others may have read it",
        )
    given, sent = request.query_params.getlist("token"), request.headers.getlist("authorization")
    if len(given) + len(sent) > 1:
        raise Unauthorized("there is more than one key or token", hint="send one")
    if given and tokens:
        return given[0], Kind.TOKEN
    if given:
        raise Unauthorized("a come-back token is not enough for this: it needs an API key")
    if not sent:
        raise Unauthorized("there is no API key")
    scheme, _, key = sent[0].partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("API keys are sent as `Authorization: Bearer`")
    return key.strip(), Kind.KEY


def _own_origins(door: Door, request: Request) -> set[str]:
    """Ours, as this request came in and as the settings say: a proxy may be between."""
    return {_origin(str(request.base_url)), _origin(door.context.settings.resolved_public_url)}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
