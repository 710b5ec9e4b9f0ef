"""GET /v1/videos/{id}/content: the bytes, and all that can be wrong with them (contract section 1.4)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from orchestrator.sandbox import refusals
from orchestrator.sandbox.auth import gateway_of, refuse_key
from orchestrator.sandbox.content_errors import staged
from orchestrator.sandbox.cutting import cut
from orchestrator.sandbox.gateway import Gateway
from orchestrator.sandbox.state import TERMINAL, Job
from orchestrator.sandbox.video import make_video, padding_header
from orchestrator.sandbox.videos import find, see

CHUNK = 64 * 1024
LARGEST_CONTENT = 512 * 1024 * 1024
_HTML = (
    b"<!doctype html><html><head><title>Error</title></head><body><h1>Something went wrong</h1></body></html>"
)
_JSON = b'{"error":{"code":404,"message":"gone"}}'


async def get_content(request: Request) -> Response:
    """Stream one output, by key or by signed link."""
    gateway = gateway_of(request)
    job_id, query = request.path_params["id"], request.query_params
    claims = gateway.links.read(
        job_id,
        query.get("download_token", ""),
        query.get("download_sig", ""),
        query.get("expires_at", ""),
        gateway.clock.now(),
    )
    if claims is None and (refusal := refuse_key(request)):
        return refusal  # an expired link ends here, as 401
    job = find(gateway, job_id)
    if isinstance(job, Response):
        return job
    job.content_gets += 1
    index = claims["index"] if claims else _index(query.get("index"))
    return _refusal(gateway, job) or _deliver(request, gateway, job, index, claims)


def _index(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _refusal(gateway: Gateway, job: Job) -> Response | None:
    """The error in place of the bytes: staged, or because of the job's state."""
    faults = job.switches
    if faults.content_error and job.strikes("content_error", faults.content_error_times):
        return staged(faults.content_error, job, gateway.new_request_id(), gateway.config.workspace_id)
    sight = see(gateway, job) if faults.regress_content else gateway.look(job)
    if sight.status == "completed":
        return None
    if sight.status not in TERMINAL:
        return _error(gateway, "not_ready", "video_not_ready")
    reason = "video_generation_failed" if sight.status == "failed" else f"video_{sight.status}"
    if job.profile.ended_content_is_502 or (sight.status == "failed" and job.profile.failed_content == 502):
        return _error(
            gateway,
            "upstream_error",
            "video_generation_failed",
            upstream_error={"code": 3, "message": faults.error_message},
            provider_failure_diagnostics=refusals.diagnosis(502, None),
        )
    return _error(gateway, "not_ready", reason)


def _error(gateway: Gateway, error: str, reason: str, **more: Any) -> Response:
    return refusals.shape_b(error, reason, gateway.new_request_id(), gateway.config.workspace_id, **more)


def _source(job: Job, index: int) -> int | None:
    """Which output really answers for an index; None where the provider has none."""
    if index < job.output_count and job.profile.out_of_range != "ignored":
        return index
    beyond = job.switches.out_of_range
    beyond = "missing" if beyond == "provider" and job.profile.out_of_range == "missing" else beyond
    return None if beyond == "missing" or job.output_count == 0 else 0


def _deliver(
    request: Request, gateway: Gateway, job: Job, index: int, claims: dict[str, Any] | None
) -> Response:
    source = _source(job, index)
    faults = job.switches
    fault = (
        faults.content
        if faults.content == "ok" or job.strikes("content", faults.content_fault_times)
        else "ok"
    )
    if fault == "missing" or source is None:
        return _error(gateway, "upstream_error", "missing_video_uri")
    video = make_video(gateway.config.seed, job.number, source)
    size = max(faults.content_bytes or 0, len(video))
    if size > LARGEST_CONTENT and faults.content_length:
        return refusals.shape_b("upstream_error", "video_content_too_large", None)
    headers = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}
    if claims:
        headers["content-disposition"] = f'{claims["disposition"]}; filename="{job.id}.mp4"'
    if fault in ("json", "html"):
        return Response(
            _JSON if fault == "json" else _HTML,
            headers=headers,
            media_type=f"{'application' if fault == 'json' else 'text'}/{fault}",
        )
    if faults.content_length:
        headers |= {"content-length": str(size), "etag": hashlib.sha256(video).hexdigest()[:16]}
    body = _stream(request, _chunks(_payload(video, fault), size, fault), size, fault, faults.content_rate)
    return StreamingResponse(body, headers=headers, media_type="video/mp4")


def _payload(video: bytes, fault: str) -> bytes:
    return b"this is not a video\n" * (len(video) // 20 + 1) if fault == "garbage" else video


def _chunks(head: bytes, size: int, fault: str) -> Iterator[bytes]:
    """The video and its padding, in pieces; a large file never exists as a whole."""
    if fault == "empty":
        return
    head = head[:size]
    missing = size - len(head)
    if 0 < missing < 8:
        head, missing = head + bytes(missing), 0
    if missing:
        lead = padding_header(missing)
        head, missing = head + lead, missing - len(lead)
    for start in range(0, len(head), CHUNK):
        yield head[start : start + CHUNK]
    zeros = bytes(CHUNK)
    for start in range(0, missing, CHUNK):
        yield zeros[: min(CHUNK, missing - start)]


async def _stream(
    request: Request, chunks: Iterator[bytes], size: int, fault: str, rate: float | None
) -> AsyncIterator[bytes]:
    """The pieces at the wanted speed, ending half-way where the fault says so."""
    end = size // 2 if fault in ("cut", "truncated") else size
    too_large = end > LARGEST_CONTENT
    end, sent = min(end, LARGEST_CONTENT), 0
    step = CHUNK if rate is None else max(1, min(CHUNK, int(rate / 20)))
    for chunk in chunks:
        for start in range(0, len(chunk), step):
            piece = chunk[start : start + step][: end - sent]
            if piece:
                yield piece
                sent += len(piece)
                await asyncio.sleep(len(piece) / rate if rate else 0)
        if sent >= end:
            break
    if fault == "cut" or too_large:
        await cut(request.scope, request.receive)
