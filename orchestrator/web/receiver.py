"""The public door: signed webhooks in, a 2xx once they are committed (design 8)."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator.engine.context import Context
from orchestrator.engine.follow_up import FollowUp
from orchestrator.engine.receive import Fate, Receipt, receive
from orchestrator.errors import StoreError
from orchestrator.store import workers
from orchestrator.telemetry import Event, log

Send = Callable[[Iterable[FollowUp]], None]
Clock = Callable[[], float]

BODY_WITHIN = 10.0  # seconds; a few KiB take a moment
SWEEP_IS_LATE = 10.0  # seconds; workers sweep every second
_STATUS = {Fate.APPLIED: 200, Fate.IGNORED: 200, Fate.WAITING: 202}


def make_receiver(context: Context, send: Send, clock: Clock) -> Starlette:
    """`POST /webhooks/gateway/{account}`, `GET /healthz` and `GET /readyz`. `clock` is the wall clock."""

    async def webhook(request: Request) -> Response:
        account = request.path_params["account"]
        if account not in context.webhook_secrets:
            return _problem(404, "unknown_account", "there is no such account")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _problem(415, "unsupported_media_type", "webhooks are application/json")
        try:
            body = await _body(request, context.settings.webhook_max_bytes)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody waits for it
        except TimeoutError:
            return _problem(408, "too_slow", "the body did not come in time", {"Connection": "close"})
        if body is None:
            # Without hanging up, the rest would be read, however much there is.
            headers = {"Connection": "close"}
            return _problem(413, "too_large", "the body is larger than any webhook of the gateway", headers)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return await run_in_threadpool(_take, context, send, account, headers, body, clock())

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        return await run_in_threadpool(_ready, context)

    routes = [
        Route("/webhooks/gateway/{account}", webhook, methods=["POST"]),
        # The gateway follows no redirect, so a URL with a slash at its end is answered as well.
        Route("/webhooks/gateway/{account}/", webhook, methods=["POST"]),
        Route("/healthz", healthy),
        Route("/readyz", ready),
    ]
    return Starlette(routes=routes)


def _take(
    context: Context, send: Send, account: str, headers: dict[str, str], body: bytes, now: float
) -> Response:
    try:
        receipt = receive(context, account, headers, body, now)
    except StoreError as error:
        log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
        return _problem(503, "store_unavailable", "not kept; send it again", {"Retry-After": "5"})
    send(receipt.follow_ups)
    return _answer(receipt)


def _answer(receipt: Receipt) -> Response:
    if receipt.fate is Fate.REJECTED:
        reason = receipt.reason or "rejected"
        status = 400 if reason == "unreadable" else 401
        return _problem(status, reason, "this delivery was not taken")
    return JSONResponse({"status": receipt.fate}, status_code=_STATUS[receipt.fate])


def _ready(context: Context) -> Response:
    try:
        with context.store.read() as tx:
            swept_at, now = workers.last_pulse(tx, "sweep"), tx.now
    except StoreError as error:
        log(Event.STORE_FAILED, level=logging.ERROR, error=error.message, hint=error.hint)
        return _problem(503, "store_unavailable", "the database cannot be used; the log says why")
    if swept_at is not None and now > swept_at + SWEEP_IS_LATE:
        return _problem(503, "no_sweep", f"no worker swept for {now - swept_at:.0f} s")
    return JSONResponse({"status": "ready"})


async def _body(request: Request, limit: int) -> bytes | None:
    """The raw bytes, or None beyond the limit; no more than the limit is ever held."""
    body = bytearray()
    async with asyncio.timeout(BODY_WITHIN):
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                return None
    return bytes(body)


def _problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """RFC 9457 problem details."""
    body = {"type": "about:blank", "status": status, "code": code, "detail": detail}
    return Response(
        json.dumps(body), status_code=status, media_type="application/problem+json", headers=headers
    )
