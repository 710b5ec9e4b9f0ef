"""The bytes of an output, streamed (gateway contract 1.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import httpx

from orchestrator.errors import ContentError, ContentMissing, GatewayError
from orchestrator.gateway import connection, reading
from orchestrator.gateway.account import Account
from orchestrator.gateway.connection import Timeouts
from orchestrator.gateway.error_answers import ErrorAnswer, explain

CHUNK = 128 * 1024  # bytes; smaller reads are joined up to this

# There is nothing to fetch, and asking again seldom changes it.
MISSING = {(502, "missing_video_uri"), (404, "video_deleted")}

# A 200 of these types is a page or an error, not an output.
_NOT_CONTENT = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/xhtml",
    "application/xml",
)


@dataclass(frozen=True, slots=True)
class Content:
    """An output that is being fetched. `length` is in bytes, None where the gateway does not say."""

    mime_type: str
    length: int | None
    _response: httpx.Response = field(repr=False)
    _chunk_timeout: float = field(repr=False)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The bytes, once, in pieces of 128 to 384 KiB. Raises ContentError when they stop coming."""
        parts = self._response.aiter_raw()
        more = True
        while more:
            chunk, more = await self._next_chunk(parts)
            if chunk:
                yield chunk

    async def _next_chunk(self, parts: AsyncIterator[bytes]) -> tuple[bytes, bool]:
        joined = bytearray()
        with content_errors("the content stopped coming"):
            async with asyncio.timeout(self._chunk_timeout):
                async for part in parts:
                    if not joined and len(part) >= CHUNK:
                        return part, True
                    joined += part
                    if len(joined) >= CHUNK:
                        return bytes(joined), True
        return bytes(joined), False


@asynccontextmanager
async def open_content(
    client: httpx.AsyncClient, account: Account, path: str, params: Mapping[str, int], timeouts: Timeouts
) -> AsyncIterator[Content]:
    """Ask for an output and check that an output comes; closes the connection at the end."""
    with content_errors("asking for the content"):
        async with asyncio.timeout(timeouts.total_look):
            response = await client.send(client.build_request("GET", path, params=params), stream=True)
    try:
        with content_errors("asking for the content"):
            async with asyncio.timeout(timeouts.total_look):
                await _check(response, account)
        yield _content(response, timeouts)
    finally:
        with suppress(*connection.FOREIGN):  # nothing more is wanted from it
            await response.aclose()


def _content(response: httpx.Response, timeouts: Timeouts) -> Content:
    length = response.headers.get("content-length", "")
    return Content(
        mime_type=_mime_type(response) or "application/octet-stream",
        length=int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None,
        _response=response,
        _chunk_timeout=timeouts.content_chunk,
    )


async def _check(response: httpx.Response, account: Account) -> None:
    if response.status_code != 200:
        answer = await connection.read_whole(response, account)
        raise content_error(explain(answer.status, answer.headers, answer.body))
    if connection.compressed(response.headers):
        raise ContentError("the content came compressed although plain bytes were asked for")
    if _mime_type(response).startswith(_NOT_CONTENT):
        raise ContentError(f"the content is {_mime_type(response)}, which is not an output")


def _mime_type(response: httpx.Response) -> str:
    return (
        str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()[: reading.MIME_TYPE]
    )


def content_error(answer: ErrorAnswer) -> ContentError:
    """Why there is no content, in the gateway's words."""
    kind = ContentMissing if (answer.status, answer.reason) in MISSING else ContentError
    return kind(f"the gateway gave no content: {answer.sentence}", hint=answer.hint, retry=answer.retry)


@contextmanager
def content_errors(what: str) -> Iterator[None]:
    """Turn what a transfer raises into ContentError."""
    try:
        with connection.translated(what):
            yield
    except GatewayError as exc:
        raise ContentError(exc.message, hint=exc.hint, retry=exc.retry) from exc
