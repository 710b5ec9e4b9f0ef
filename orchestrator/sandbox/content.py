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
from orchestrator.sandbox.video import make_video, padding_header, served_size
from orchestrator.sandbox.videos import find, see

CHUNK = 64 * 1024
LARGEST_CONTENT = 512 * 1024 * 1024
_STRANGERS = {
    "json": (b'{"error":{"code":404,"message":"gone"}}', "application/json"),
    "html": (b"<!doctype html><html><body><h1>Something went wrong</h1></body></html>", "text/html"),
}


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
    faults, source = job.switches, _source(job, index)
    if source is None:
        return _error(gateway, "upstream_error", "missing_video_uri")
    fault = faults.content if job.strikes("content", faults.content_fault_times) else "ok"
    video = make_video(gateway.config.seed, job.number, source)
    size = served_size(video, faults.content_bytes)
    if size > LARGEST_CONTENT and faults.content_length:
        return refusals.shape_b("upstream_error", "video_content_too_large", None)
    headers = {"cache-control": "private, no-store", "x-content-type-options": "nosniff"}
    if claims:
        headers["content-disposition"] = f'{claims["disposition"]}; filename="{job.id}.mp4"'
    if fault in _STRANGERS:
        body, kind = _STRANGERS[fault]
        return Response(body, headers=headers, media_type=kind)
    end = {"empty": 0, "truncated": size // 2}.get(fault, size)
    if faults.content_length:
        headers |= {"content-length": str(end), "etag": hashlib.sha256(video).hexdigest()[:16]}
    cut_at = size // 2 if fault == "cut" else min(end, LARGEST_CONTENT)
    head = b"this is not a video\n" * (len(video) // 20) if fault == "garbage" else video
    pieces = _stream(_chunks(head, cut_at, size), faults.content_rate)
    if cut_at < end:
        pieces = _then_cut(request, pieces)
    return StreamingResponse(pieces, headers=headers, media_type="video/mp4")


def _chunks(head: bytes, end: int, size: int) -> Iterator[bytes]:
    """The first `end` of `size` bytes: the head, then padding; a large file never exists as a whole."""
    if size > len(head) + 8:
        head += padding_header(size - len(head))
    for start in range(0, min(end, len(head)), CHUNK):
        yield head[start : min(end, start + CHUNK)]
    zeros = bytes(CHUNK)
    for start in range(len(head), end, CHUNK):
        yield zeros[: min(CHUNK, end - start)]


async def _stream(chunks: Iterator[bytes], rate: float | None) -> AsyncIterator[bytes]:
    """The pieces at the wanted speed."""
    step = CHUNK if rate is None else max(1, min(CHUNK, int(rate / 20)))
    for chunk in chunks:
        for start in range(0, len(chunk), step):
            piece = chunk[start : start + step]
            yield piece
            await asyncio.sleep(len(piece) / rate if rate else 0)


async def _then_cut(request: Request, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, and then no proper end."""
    async for piece in pieces:
        yield piece
    await cut(request.scope, request.receive)
