"""The public door: signed webhooks in, a 2xx once they are committed (design 8)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.engine import alarms
from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.receive import Incoming, prove_ready, receive, receive_together
from orchestrator.engine.take import Fate, Receipt
from orchestrator.errors import NotFound, StoreError
from orchestrator.telemetry import Event, log
from orchestrator.web.group_commit import Afterwards, GroupCommit
from orchestrator.web.problems import problem

Send = Callable[[Iterable[FollowUp]], None]
Clock = Callable[[], float]

BODY_WITHIN = 10.0  # seconds; a few KiB take a moment
# A database that hangs (no timeout of its own ends that) must not hold up an answer for which the gateway
# waits 30 s; whoever asks for readiness has less patience.
KEPT_WITHIN = 15.0
READY_WITHIN = 5.0
READY_THREADS = 2
THREADS = 40  # no more of these hang with the database; who finds none free gets an answer in time too
_STATUS = {Fate.APPLIED: 200, Fate.IGNORED: 200, Fate.WAITING: 202}


def make_receiver(
    context: Context, send: Send, clock: Clock, *, beat_expected: bool, beside: Sequence[Route] = ()
) -> Starlette:
    """`POST /webhooks/gateway/{account}`, `GET /healthz` and `GET /readyz`, and the routes given beside them.

    `clock` is the wall clock; `beat_expected` says whether messages of `beat` should arrive.
    """
    threads = ThreadPoolExecutor(THREADS, "receiver")
    # Of their own: however often somebody asks while the database hangs, webhooks have theirs.
    readiness = ThreadPoolExecutor(READY_THREADS, "readiness")
    keeper = _Keeper(context, send, threads)

    async def webhook(request: Request) -> Response:
        account = request.path_params["account"]
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return problem(415, "unsupported_media_type", "webhooks are application/json")
        try:
            body = await _body(request, context.settings.webhook_max_bytes)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody waits for it
        except TimeoutError:
            return problem(408, "too_slow", "the body did not come in time", {"Connection": "close"})
        if body is None:
            # Without hanging up, the rest would be read, however much there is.
            headers = {"Connection": "close"}
            return problem(413, "too_large", "the body is larger than any webhook of the gateway", headers)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return await keeper.keep(Incoming(account, headers, body, clock()), request)

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        look = partial(_ready, context, clock(), beat_expected)
        try:
            async with asyncio.timeout(READY_WITHIN):
                return await asyncio.get_running_loop().run_in_executor(readiness, look)
        except TimeoutError:
            return _too_late(READY_WITHIN)

    routes = [
        Route("/webhooks/gateway/{account}", webhook, methods=["POST"]),
        # The gateway follows no redirect, so a URL with a slash at its end is answered as well.
        Route("/webhooks/gateway/{account}/", webhook, methods=["POST"]),
        Route("/healthz", healthy),
        Route("/readyz", ready),
        *beside,
    ]
    app = Starlette(routes=routes, lifespan=_ending(threads, readiness), exception_handlers=_PROBLEMS)
    # A redirect would repeat what is in the query, be it a token, at whatever host the request named.
    app.router.redirect_slashes = False
    return app


class _Keeper:
    """Keeps what was delivered, and says so."""

    def __init__(self, context: Context, send: Send, threads: Executor) -> None:
        together, alone = partial(receive_together, context), partial(_receive, context)
        self._commits = GroupCommit(together, alone, threads, again=True)  # an event has its effect once
        self._follow = Afterwards(send, threads)

    async def keep(self, incoming: Incoming, request: Request) -> Response:
        try:
            async with asyncio.timeout(KEPT_WITHIN):
                receipt = await self._commits.do(incoming)
        except TimeoutError:
            return _too_late(KEPT_WITHIN)
        except NotFound as error:
            return problem(404, "unknown_account", error.message)
        except StoreError as error:
            log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
            return _unavailable("not kept; send it again")
        if receipt.fate is Fate.CHECKED:
            return JSONResponse({"status": receipt.fate, **_seen(request)})
        # Sent once the gateway has its answer, so that a broker that hangs delays none.
        return _answer(
            receipt, BackgroundTask(self._follow, receipt.follow_ups) if receipt.follow_ups else None
        )


async def _no_such_path(_: Request, __: Exception) -> Response:
    return problem(404, "no_such_path", "there is nothing under this path")


async def _no_such_method(_: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    return problem(405, "method_not_allowed", "this path has no such method", headers)


_PROBLEMS: dict[Any, Any] = {404: _no_such_path, 405: _no_such_method}


def _ending(*pools: Executor) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Threads end with the application; those that hang with the database are not waited for."""

    @asynccontextmanager
    async def serving(_: Starlette) -> AsyncIterator[None]:
        yield
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)

    return serving


def _too_late(seconds: float) -> Response:
    late = f"the database did not answer within {seconds:.0f} s"
    log(Event.STORE_FAILED, level=logging.ERROR, error=late)
    return _unavailable(late)


def _seen(request: Request) -> dict[str, str]:
    """Where a request seems to come from, and how: as the proxies say that are believed."""
    return {"scheme": request.url.scheme, "client": request.client.host if request.client else ""}


def _receive(context: Context, incoming: Incoming) -> Receipt:
    return receive(context, incoming.account, incoming.headers, incoming.body, incoming.now)


def _answer(receipt: Receipt, afterwards: BackgroundTask | None) -> Response:
    if receipt.fate is Fate.REJECTED:
        reason = receipt.reason or "rejected"
        status = 400 if reason == "unreadable" else 401
        return problem(status, reason, "this delivery was not taken")
    status = _STATUS[receipt.fate]
    return JSONResponse({"status": receipt.fate}, status_code=status, background=afterwards)


def _ready(context: Context, wall_clock: float, beat_expected: bool) -> Response:
    """Whether webhooks can be kept. What else is wrong is told, and is no reason to send none here."""
    try:
        prove_ready(context)
        with context.store.read() as tx:
            found = alarms.read(tx, wall_clock=wall_clock, beat_expected=beat_expected)
    except StoreError as error:
        log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
        return _unavailable("the database cannot be used; the log says why")
    told = [{"name": one.name, "about": one.about, "detail": one.detail} for one in found]
    return JSONResponse({"status": "degraded" if told else "ready", "alarms": told})


async def _body(request: Request, limit: int) -> bytes | None:
    """The raw bytes, or None beyond the limit; no more than the limit is ever held."""
    body = bytearray()
    async with asyncio.timeout(BODY_WITHIN):
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                return None
    return bytes(body)


def _unavailable(detail: str) -> Response:
    return problem(503, "store_unavailable", detail, {"Retry-After": "5"})
