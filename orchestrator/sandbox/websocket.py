"""The job WebSocket: stored state only, re-read at an interval (contract section 6)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from orchestrator.sandbox import refusals
from orchestrator.sandbox.auth import gateway_of, refuse_key
from orchestrator.sandbox.gateway import Gateway
from orchestrator.sandbox.snapshot import snapshot
from orchestrator.sandbox.state import Job

CLOSING = ("completed", "failed", "cancelled")  # not `expired`, contrary to the gateway's documentation
SHORTEST_WAIT = 0.05  # real seconds, however much the sandbox is sped up


async def needs_upgrade(request: Request) -> Response:
    """A plain GET of the WebSocket address."""
    error = {"code": "websocket_upgrade_required", "message": "Expected a WebSocket upgrade request."}
    return refuse_key(request) or JSONResponse({"error": error}, 426, {"upgrade": "websocket"})


async def follow(socket: WebSocket) -> None:
    """Send a snapshot, then every change, until the job has ended."""
    gateway = gateway_of(socket)
    job = _find(gateway, socket)
    if isinstance(job, Response):
        await socket.send_denial_response(job)
        return
    await socket.accept()
    refresh = asyncio.Event()
    listener = asyncio.create_task(_listen(socket, refresh))
    try:
        await _tell(gateway, socket, job, refresh, listener)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the client left in the middle of a frame
    finally:
        listener.cancel()


def _find(gateway: Gateway, socket: WebSocket) -> Job | Response:
    if refusal := refuse_key(socket):
        return refusal
    request_id, workspace = gateway.new_request_id(), gateway.config.workspace_id
    if socket.path_params["kind"] not in ("video", "batch"):
        return refusals.shape_b("validation_error", "invalid_async_job_path", request_id, workspace)
    job = gateway.jobs.find(socket.path_params["id"]) if socket.path_params["kind"] == "video" else None
    if job is None or job.deleted:
        return refusals.shape_b("not_found", "async_job_not_found_or_not_owned", request_id, workspace)
    return job


async def _tell(
    gateway: Gateway, socket: WebSocket, job: Job, refresh: asyncio.Event, listener: asyncio.Task[None]
) -> None:
    interval = max(SHORTEST_WAIT, gateway.clock.scaled(_interval(socket.query_params.get("interval_ms"))))
    closes = socket.query_params.get("close_on_terminal", "true").lower() not in ("0", "false", "no", "off")
    kind, told = "job.snapshot", None
    while not listener.done():
        if job.deleted:
            await _send(socket, {"type": "job.deleted", "data": {"id": job.id, "kind": "video"}})
            break
        data = snapshot(job, gateway.scribe(), gateway.clock.now())
        if data != told:
            await _send(socket, {"type": kind, "data": data})
            kind, told = "job.updated", data
        if closes and job.stored in CLOSING:
            await socket.close(1000, "closed")
            return
        refresh.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(refresh.wait(), interval)


def _interval(text: str | None) -> float:
    try:
        return min(max(int(text or "2500"), 1000), 10_000) / 1000
    except ValueError:
        return 2.5


async def _listen(socket: WebSocket, refresh: asyncio.Event) -> None:
    """Answer pings, and wake the teller for a refresh or when the client has gone."""
    try:
        while True:
            text = (await socket.receive_text()).strip()
            if text == "ping":
                await _send(socket, {"type": "pong"})
            elif text == "refresh":
                refresh.set()
    except (WebSocketDisconnect, KeyError):
        pass  # gone, or a binary frame, which the gateway does not read either
    finally:
        refresh.set()


async def _send(socket: WebSocket, frame: dict[str, Any]) -> None:
    await socket.send_text(json.dumps(frame, separators=(",", ":"), ensure_ascii=False))
