"""Outputs, read from the archive, in ranges where asked, whole or visibly cut; here by signed links.

An output never changes, and its ETag is its SHA-256. Whoever has no signature for it learns nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import anyio
from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.archive import Archive
from orchestrator.core.job import Output
from orchestrator.core.links import verify
from orchestrator.core.media import SUFFIXES
from orchestrator.errors import ContentDamaged, DestinationError, StoreError
from orchestrator.telemetry import Event, log
from orchestrator.web.conditions import Unsatisfiable, asked_span, is_known
from orchestrator.web.problems import problem
from orchestrator.web.streaming import Reading, Streamed

Find = Callable[[str, int], Output | None]
T = TypeVar("T")

THREADS = 40  # so many pieces are read at once; a reader that is slow holds no thread
BEGUN_WITHIN = 15.0  # seconds; readers have no more patience with a database or an archive that hangs
ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
PROBLEM = {**ALWAYS, "Cache-Control": "no-store"}
FOUND = {
    **ALWAYS,
    # Opened by itself, a browser makes a page around a video: that page plays it, and does nothing else.
    "Content-Security-Policy": "default-src 'none'; media-src 'self'; img-src 'self'; "
    "style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "private, max-age=86400, immutable",
    "Accept-Ranges": "bytes",
}
FOR_PAGES = {"Cross-Origin-Resource-Policy": "cross-origin"}  # other origins' pages may show it

_INDEX = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)
_MIME_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)


def output_routes(find: Find, archive: Archive, keys: Sequence[bytes]) -> list[Route]:
    """`GET` and `HEAD /outputs/{job_id}/{index}?signature=…`.

    `find` tells of an output and is over before its first byte is sent; it may raise StoreError. `keys` are
    those of `core.links`.
    """
    links = _Links(find, Reader(archive), keys)
    return [Route("/outputs/{job_id}/{index}", links.answer, methods=["GET"])]


@dataclass(frozen=True, slots=True)
class _Kept:
    """An output that was put into the archive."""

    job_id: str
    sha256: str
    size: int
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Links:
    find: Find
    reader: Reader
    keys: Sequence[bytes]

    async def answer(self, request: Request) -> Response:
        job_id, index = request.path_params["job_id"], request.path_params["index"]
        signature = request.query_params.get("signature", "")
        # Before anything is asked: what exists shows neither in the answer nor in the time it takes.
        if not _INDEX.fullmatch(index) or not verify(self.keys, job_id, int(index), signature):
            return _unknown()
        return await self.reader.answer(request, job_id, partial(self.find, job_id, int(index)), FOR_PAGES)


@dataclass(frozen=True, slots=True)
class Reader:
    """Answers with outputs, whoever was allowed to have them."""

    archive: Archive
    _threads: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(THREADS))

    async def answer(
        self,
        request: Request,
        job_id: str,
        find: Callable[[], Output | None],
        headers: Mapping[str, str],
        *,
        download: bool = False,
    ) -> Response:
        """The output that `find` finds, with these headers besides; `download`: to be saved, not shown.

        Raises what `find` does, but a StoreError.
        """
        try:
            return await self._look(request, find, headers, download)
        except TimeoutError:
            return _unavailable(f"database or archive did not answer within {BEGUN_WITHIN:.0f} s")
        except (StoreError, DestinationError) as error:
            log(Event.OUTPUT_FAILED, job=job_id, level=logging.ERROR, error=error.message, hint=error.hint)
            return _unavailable("the output cannot be read now")

    async def _look(
        self, request: Request, find: Callable[[], Output | None], more: Mapping[str, str], download: bool
    ) -> Response:
        output = await self._soon(find)
        if output is None:
            return _unknown()
        if output.missing:
            return _gone("the gateway never had this output")
        if output.elsewhere:
            return _not_kept()
        if output.sha256 is None or output.bytes is None:
            return _not_yet()
        headers = {**_headers(output, output.sha256, download=download), **more}
        kept = _Kept(output.job_id, output.sha256, output.bytes, headers)
        try:
            return await self._give(request.method, request.headers, kept)
        except ContentDamaged as error:
            log(
                Event.OUTPUT_FAILED,
                job=kept.job_id,
                level=logging.ERROR,
                error=error.message,
                hint=error.hint,
            )
            there = await self._soon(partial(self.archive.has, kept.sha256))
            return _damaged() if there else _gone("the archive has this output no longer")

    async def _give(self, method: str, headers: Headers, kept: _Kept) -> Response:
        if is_known(headers, kept.headers["ETag"]):
            return Response(status_code=304, headers=kept.headers)
        if method == "HEAD":
            return await self._describe(kept)
        try:
            span = asked_span(headers, kept.headers["ETag"], kept.size)
        except Unsatisfiable:
            return _beyond(kept.size)
        reading = await self._soon(partial(Reading, self.archive, kept.sha256, kept.size, span))
        told = kept.headers | {"Content-Length": str(span.end - span.start if span else kept.size)}
        if span:
            told["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{kept.size}"
        return Streamed(reading, self._threads, kept.job_id, status_code=206 if span else 200, headers=told)

    async def _describe(self, kept: _Kept) -> Response:
        there = await self._soon(partial(self.archive.has, kept.sha256))
        if there is None:
            return _gone("the archive has this output no longer")
        if there.bytes != kept.size:
            return _damaged()
        return Response(headers=kept.headers | {"Content-Length": str(kept.size)})

    async def _soon(self, act: Callable[[], T]) -> T:
        with anyio.fail_after(BEGUN_WITHIN):
            return await run_sync(act, limiter=self._threads, abandon_on_cancel=True)


def _headers(output: Output, sha256: str, *, download: bool) -> dict[str, str]:
    """Shown are only pictures and videos: the type is what somebody else said of it, and may be a page."""
    mime_type = output.mime_type or ""
    if not _MIME_TYPE.fullmatch(mime_type):
        mime_type = "application/octet-stream"
    shown = "inline" if mime_type in SUFFIXES and not download else "attachment"
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", output.job_id)
    name = f"{stem}-{output.index}.{SUFFIXES.get(mime_type, 'bin')}"
    return FOUND | {
        "Content-Type": mime_type,
        "Content-Disposition": f'{shown}; filename="{name}"',
        "ETag": f'"{sha256}"',
    }


def _unknown() -> Response:
    hint = "take the whole link, from `?signature=` to its end; links end with the key that signed them"
    return problem(404, "unknown_output", "there is no output under this link", PROBLEM, hint=hint)


def _not_yet() -> Response:
    headers = PROBLEM | {"Retry-After": "10"}
    return problem(404, "not_fetched", "the output is not fetched yet", headers, hint="ask again")


def _not_kept() -> Response:
    hint = "whoever has the gateway account's key can read it there, by the job's `gateway_id` and this index"
    return problem(
        404, "not_kept", "the output is not kept here: only the gateway has it", PROBLEM, hint=hint
    )


def _gone(detail: str) -> Response:
    hint = "nothing is to be had here any more; the job's timeline says since when"
    return problem(410, "gone", detail, PROBLEM, hint=hint)


def _damaged() -> Response:
    hint = "the operator can have it fetched again, while the gateway has it, by a replay of the hand-off"
    return problem(502, "damaged", "the archive has something else than this output", PROBLEM, hint=hint)


def _unavailable(detail: str) -> Response:
    headers = PROBLEM | {"Retry-After": "5"}
    return problem(503, "unavailable", detail, headers, hint="ask again; the log says what is wrong")


def _beyond(size: int) -> Response:
    headers = PROBLEM | {"Content-Range": f"bytes */{size}"}
    return problem(416, "beyond_the_end", f"the output has {size} bytes", headers, hint="ask for less")
