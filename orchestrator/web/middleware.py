"""What stands around the doors: limits, security headers, names for requests, one log line for each.

Plain ASGI, and nothing that holds a whole answer: streams go through as they come.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator import metrics, telemetry
from orchestrator.core.ids import sane_job_id
from orchestrator.core.tracing import sane_request_id, sane_traceparent
from orchestrator.telemetry import Event, log
from orchestrator.web.problems import problem

MOST_HEADERS = 100
HEAD_BYTES = 32_768
LONGEST_TARGET = 8_192  # bytes of a path with its query
BODY_WITHIN = 30.0  # seconds
BODIES_AT_ONCE = 32  # of the largest size; more than that is not held at one time
SMALL = 1_024  # so many times smaller than the largest, a body is taken however much is held
LOGGED_BODY = 10_000  # bytes
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

CLOSE = {"Connection": "close"}  # or what is not wanted would be read, however much there is
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
HSTS = (b"strict-transport-security", b"max-age=31536000")


class SecurityHeaders:
    """Adds to every answer the headers that it has not itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        added = (*SECURITY_HEADERS, HSTS) if scope["scheme"] == "https" else SECURITY_HEADERS

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with(message.get("headers", ()), added)
            await send(message)

        await self._app(scope, receive, secured)


class Heads:
    """Refuses requests whose head is beyond any use, or which a proxy may read otherwise than we do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = scope["headers"]
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_TARGET:
            refusal = (414, "too_long_a_url", f"a path with its query has at most {LONGEST_TARGET} bytes")
        elif len(headers) > MOST_HEADERS or sum(len(name) + len(it) for name, it in headers) > HEAD_BYTES:
            told = f"a request has at most {MOST_HEADERS} headers and {HEAD_BYTES} bytes of them"
            refusal = (431, "too_many_headers", told)
        elif _is_ambiguous(scope):
            refusal = (400, "ambiguous_length", "a body has a Content-Length, or comes in chunks by HTTP/1.1")
        else:
            return await self._app(scope, receive, send)
        return await _refuse(refusal, scope, receive, send)


class Bodies:
    """Reads the body of a request, of a limited size and within a limited time, before the door gets it.

    So no door has to know of the limits, and none holds anything while a slow client sends.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, within: float = BODY_WITHIN) -> None:
        self._app = app
        self._most = most_bytes
        self._within = within
        self._held = 0  # bytes, of all requests under way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        said = _body_length(scope)
        if said == 0:
            return await self._app(scope, receive, send)
        body = bytearray()
        try:
            refusal = await self._refusal(said, body, receive)
            if refusal is None:
                _remember(scope, body)
                return await self._app(scope, _again(bytes(body), receive), send)
            return await _refuse(refusal, scope, receive, send)
        except _Disconnected:
            return None
        finally:
            self._held -= len(body)

    async def _refusal(self, said: int | None, body: bytearray, receive: Receive) -> _Refusal | None:
        if said is not None and said > self._most:
            return self._too_large()
        try:
            async with asyncio.timeout(self._within):
                return await self._read(body, receive)
        except TimeoutError:
            return 408, "too_slow", f"the body did not come within {self._within:g} s"

    async def _read(self, body: bytearray, receive: Receive) -> _Refusal | None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            part, more = message.get("body", b""), message.get("more_body", False)
            body += part
            self._held += len(part)
            if len(body) > self._most:
                return self._too_large()
            # Or strangers who send slowly what is large would keep everybody from sending anything.
            if self._held > BODIES_AT_ONCE * self._most and len(body) > self._most // SMALL:
                return 503, "busy", "too much is being sent at this moment; send it again"
        return None

    def _too_large(self) -> _Refusal:
        return 413, "too_large", f"a body has at most {self._most} bytes"


class Named:
    """Gives each request an id, its caller's if that is sane, and keeps the trace that it belongs to.

    Both are in `scope["state"]` and in the answer; the id is in every log line of the request.
    """

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request_id = _only(scope, b"x-request-id", sane_request_id) or self._new_id()
        traceparent = _only(scope, b"traceparent", sane_traceparent)
        scope["state"] |= {"request_id": request_id, "traceparent": traceparent}
        added = [(b"x-request-id", request_id.encode())]
        if traceparent:
            added.append((b"traceparent", traceparent.encode()))

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        with telemetry.about_request(request_id, traceparent.split("-")[1] if traceparent else None):
            await self._app(scope, receive, named)


class Recorded:
    """Writes one log line for each request, and keeps a bug of ours from being told in its caller's words.

    `clock` counts seconds; `prefix` is what all routes of the application are under, `bodies` whether what is
    submitted may be logged.
    """

    def __init__(
        self, app: ASGIApp, clock: Callable[[], float], *, prefix: str = "", bodies: bool = False
    ) -> None:
        self._app = app
        self._clock = clock
        self._prefix = prefix
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        begun, status, whole = self._clock(), 0, False
        waited: float | None = None

        async def recorded(message: Message) -> None:
            nonlocal status, whole, waited
            if message["type"] == "http.response.start":
                status, waited = message["status"], self._clock() - begun
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, recorded)
        except Exception as error:  # noqa: BLE001 - a bug of ours: logged, and answered if nothing else was
            log(Event.API_BROKE, level=logging.ERROR, error=type(error).__name__, at=_frames(error))
            if status and not whole:
                raise _Broken from None  # half an answer: the server cuts the connection
            if not status:
                await _refuse(_BUG, scope, receive, recorded)
        finally:
            self._record(scope, status, self._clock() - begun)
            self._measure(scope, status, waited)

    def _measure(self, scope: Scope, status: int, waited: float | None) -> None:
        """By the route as it is declared: what strangers ask for names no series."""
        if waited is not None:  # else the client was gone before there was an answer
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.REQUESTS.labels(method, self._route(scope) or "none", status).observe(waited)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        caller: Any = scope["state"].get("caller")
        log(
            Event.API_REQUEST,
            job=sane_job_id(str(scope.get("path_params", {}).get("job_id", ""))),
            level=logging.WARNING if status >= 500 else logging.INFO,
            method=scope["method"],
            route=self._route(scope),
            status=status or None,  # none: the client was gone before there was an answer
            ms=round(seconds * 1000, 1),
            tenant=caller.tenant_id if caller else None,
            caller=caller.id if caller else None,
            **({"body": _start(scope)} if self._bodies and "body" in scope["state"] else {}),
        )

    def _route(self, scope: Scope) -> str | None:
        path: str | None = getattr(scope.get("route"), "path", None)
        if path is None or not scope["path"].startswith(self._prefix):
            return path
        return self._prefix + path.removeprefix(self._prefix)


_Refusal = tuple[int, str, str]  # status, code, detail
_BUG: _Refusal = (500, "internal_error", "this is a bug of the orchestrator's; its log says more")


class _Disconnected(Exception):
    """The client is gone before its body was here."""


class _Broken(Exception):
    """An answer of which a part is out cannot be ended. What broke is in the log."""


async def _refuse(refusal: _Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    status, code, detail = refusal
    headers = CLOSE | ({"Retry-After": "1"} if status == 503 else {})
    answer = problem(status, code, detail, headers)
    await answer(scope, receive, send)


def _again(body: bytes, receive: Receive) -> Receive:
    """What was read already, then whatever comes."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _with(
    headers: Iterable[tuple[bytes, bytes]], added: Iterable[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    there = list(headers)
    names = {name.lower() for name, _ in there}
    return there + [(name, value) for name, value in added if name not in names]


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _only(scope: Scope, name: bytes, sane: Callable[[str], str | None]) -> str | None:
    values = _values(scope, name)
    return sane(values[0]) if len(values) == 1 else None


def _is_ambiguous(scope: Scope) -> bool:
    """Whether a proxy before us may take a part of its body for another request (RFC 9112, 6.1)."""
    if not _values(scope, b"transfer-encoding"):
        return False
    return bool(_values(scope, b"content-length")) or scope["http_version"] == "1.0"


def _body_length(scope: Scope) -> int | None:
    """How many bytes the client says it sends, None where it does not say. The server holds it to it."""
    if _values(scope, b"transfer-encoding"):
        return None
    lengths = _values(scope, b"content-length")
    return int(lengths[0]) if lengths else 0


def _remember(scope: Scope, body: bytearray) -> None:
    """For the log, where its reader wants to see what is submitted."""
    if scope["method"] == "POST" and scope["path"] == "/v1/jobs":
        scope["state"]["body"] = body


def _start(scope: Scope) -> str:
    return bytes(scope["state"]["body"][:LOGGED_BODY]).decode(errors="replace")


def _frames(error: BaseException) -> list[str]:
    """Where it was raised. Its message is left out: it may have what somebody sent."""
    return [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_tb(error.__traceback__)]
