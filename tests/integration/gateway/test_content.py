"""Outputs over real connections: whole, or an error that says so."""

import asyncio
import json
from typing import Any

import pytest

from orchestrator.errors import ContentError, ContentMissing
from orchestrator.gateway.connection import READ
from orchestrator.gateway.content import CHUNK
from tests.integration.gateway.misbehaving import cut_before_headers, drip
from tests.integration.gateway.servers import PATIENT, QUICK, Script, Server, Wire, gateway_at, hang, serving

VIDEO = bytes(range(256)) * 4096  # 1 MiB


def fetch(
    script: Script, index: int = 0, timeouts: Any = PATIENT
) -> tuple[list[bytes], str, int | None, Server]:
    async def run() -> tuple[list[bytes], str, int | None, Server]:
        async with serving(script) as server, gateway_at(server.port, timeouts) as gateway:
            async with gateway.content("G-1", index) as content:
                chunks = [chunk async for chunk in content.chunks()]
            return chunks, content.mime_type, content.length, server

    return asyncio.run(run())


def fetch_error(script: Script, timeouts: Any = PATIENT) -> ContentError:
    with pytest.raises(ContentError) as caught:
        fetch(script, timeouts=timeouts)
    return caught.value


def giving(status: int, body: bytes, content_type: str, *more: str) -> Script:
    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.answer(status, body, content_type, *more)

    return script


def refusing(status: int, code: str, reason: str) -> Script:
    body = {"error": code, "reason": reason, "request_id": "G-REQ", "status_code": status}
    return giving(status, json.dumps(body).encode(), "application/json")


async def in_small_pieces(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ntransfer-encoding: chunked\r\n\r\n")
    for at in range(0, len(VIDEO), 1000):
        piece = VIDEO[at : at + 1000]
        await wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await wire.send(b"0\r\n\r\n")


def test_content_comes_whole_in_large_pieces() -> None:
    chunks, mime_type, length, server = fetch(in_small_pieces)
    assert b"".join(chunks) == VIDEO
    assert all(CHUNK <= len(chunk) < CHUNK + READ for chunk in chunks[:-1])
    assert (mime_type, length) == ("video/mp4", None)
    assert server.requests[0].line == "GET /v1/videos/G-1/content HTTP/1.1"
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_a_further_output_is_asked_for_by_index_and_a_length_is_told() -> None:
    chunks, _, length, server = fetch(giving(200, VIDEO, "video/mp4; x=1"), index=2)
    assert (b"".join(chunks), length) == (VIDEO, len(VIDEO))
    assert server.requests[0].line == "GET /v1/videos/G-1/content?index=2 HTTP/1.1"


def test_an_empty_output_has_no_chunks() -> None:
    assert fetch(giving(200, b"", "video/mp4"))[0] == []


@pytest.mark.parametrize(
    ("script", "missing"),
    [
        (refusing(502, "upstream_error", "missing_video_uri"), True),
        (refusing(404, "not_found", "video_deleted"), True),
        (refusing(404, "not_found", "video_not_found_or_not_owned"), False),
        (refusing(409, "not_ready", "video_not_ready"), False),
        (refusing(409, "not_ready", "video_generation_failed"), False),
        (refusing(502, "upstream_error", "google_video_content_fetch_failed"), False),
        (refusing(401, "unauthorised", "missing_or_invalid_authorization_header"), False),
        (refusing(503, "odd", "odd"), False),
        (refusing(206, "odd", "odd"), False),
        (refusing(302, "odd", "odd"), False),
    ],
)
def test_a_refusal_is_told_with_its_request_id(script: Script, missing: bool) -> None:
    error = fetch_error(script)
    assert isinstance(error, ContentMissing) == missing
    assert error.retry.again
    assert "[request G-REQ]" in error.message


@pytest.mark.parametrize(
    "script",
    [
        giving(200, b'{"error":"x"}', "application/json"),
        giving(200, b"<html>", "Text/HTML; charset=utf-8"),
        giving(200, b"oops", "text/plain"),
        giving(200, b"\x1f\x8b", "video/mp4", "content-encoding: gzip"),
        giving(500, b"Internal Server Error", "text/plain"),
    ],
)
def test_what_is_no_output_is_not_taken_for_one(script: Script) -> None:
    assert fetch_error(script).retry.again


async def cut_with_length(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 9999999\r\n\r\n" + VIDEO)


async def cut_while_chunked(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ntransfer-encoding: chunked\r\n\r\n")
    await wire.send(b"100000\r\n" + VIDEO + b"\r\n")


async def reset_mid_body(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 9999999\r\n\r\n" + VIDEO)
    wire.writer.transport.abort()


@pytest.mark.parametrize(
    "script",
    [cut_before_headers, cut_with_length, cut_while_chunked, reset_mid_body],
    ids=lambda script: script.__name__,
)
def test_cut_content_is_an_error_and_never_a_short_output(script: Script) -> None:
    assert fetch_error(script).retry.again


async def stall_mid_body(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 9999999\r\n\r\n" + VIDEO)
    await hang(wire)


@pytest.mark.parametrize("script", [hang, stall_mid_body, drip], ids=lambda script: script.__name__)
def test_content_that_hardly_moves_is_given_up(script: Script) -> None:
    assert fetch_error(script, QUICK).retry.again


def test_an_error_of_the_taker_is_its_own() -> None:
    async def run() -> None:
        async with (
            serving(in_small_pieces) as server,
            gateway_at(server.port) as gateway,
            gateway.content("G-1"),
        ):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        asyncio.run(run())


def test_an_id_that_is_none_is_a_content_error_for_good() -> None:
    async def run() -> None:
        async with gateway_at(9) as gateway, gateway.content("../x"):
            pass

    with pytest.raises(ContentError) as caught:
        asyncio.run(run())
    assert not caught.value.retry.again
