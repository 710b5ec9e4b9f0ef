"""The WebSocket over real connections: its first snapshot, or one of our errors."""

import asyncio
import http
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from orchestrator.core.job import Source
from orchestrator.core.lifecycle import Seen
from orchestrator.errors import BadAnswer, GatewayError, NoAnswer, Unreachable
from orchestrator.gateway.snapshot import Snapshot
from tests.integration.gateway.misbehaving import cut_before_headers, nonsense
from tests.integration.gateway.servers import KEY, PATIENT, QUICK, gateway_at, hang, serving

DATA = {"id": "G-1", "status": "completed", "session_id": "s-1", "request_id": "G-1"}
SNAPSHOT = json.dumps({"type": "job.snapshot", "data": DATA})
Handler = Callable[[ServerConnection], Awaitable[None]]


def snapshot(handler: Handler, timeouts: Any = PATIENT, **how: Any) -> Snapshot:
    async def run() -> Snapshot:
        async with (
            serve(handler, "127.0.0.1", 0, close_timeout=0.2, **how) as server,
            gateway_at(server.sockets[0].getsockname()[1], timeouts) as gateway,
        ):
            return await gateway.snapshot("G-1")

    return asyncio.run(run())


def error(handler: Handler, timeouts: Any = PATIENT, **how: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        snapshot(handler, timeouts, **how)
    assert KEY not in str(caught.value) + repr(caught.value.__cause__)
    return caught.value


def sending(*frames: str | bytes) -> Handler:
    async def handler(socket: ServerConnection) -> None:
        try:
            for frame in frames:
                await socket.send(frame)
            await socket.wait_closed()
        except ConnectionClosed:
            pass

    return handler


def test_the_first_snapshot_tells_the_session_id_and_stored_state() -> None:
    asked: list[tuple[str, str]] = []

    async def handler(socket: ServerConnection) -> None:
        assert socket.request is not None
        asked.append((socket.request.path, socket.request.headers["Authorization"]))
        await socket.send(SNAPSHOT)
        await socket.wait_closed()

    found = snapshot(handler)
    assert found.session_id == "s-1"
    assert (found.observation.source, found.observation.seen) == (Source.LIST, Seen.COMPLETED)
    assert found.observation.gateway_id == "G-1"
    assert asked == [("/v1/async/video/G-1/ws?interval_ms=10000", f"Bearer {KEY}")]


def test_frames_before_the_snapshot_are_passed_over() -> None:
    odd: list[str | bytes] = [
        "",
        "hello",
        '{"type":"pong"}',
        '{"type":"job.snapshot"}',
        "[]",
        b"\xff",
        "[" * 100_000,
    ]
    assert snapshot(sending(*odd, SNAPSHOT)).session_id == "s-1"


def test_a_job_without_a_session_id_has_none() -> None:
    frame = json.dumps({"type": "job.snapshot", "data": DATA | {"session_id": None}})
    assert snapshot(sending(frame)).session_id is None


def answering(
    status: int, body: Any, *, location: str = ""
) -> Callable[[ServerConnection, Request], Response]:
    def process(socket: ServerConnection, request: Request) -> Response:
        response = socket.respond(
            http.HTTPStatus(status), body if isinstance(body, str) else json.dumps(body)
        )
        if location:
            response.headers["Location"] = location
        return response

    return process


def test_an_unknown_job_is_a_bad_answer_with_its_reason() -> None:
    body = {"error": "not_found", "reason": "async_job_not_found_or_not_owned", "request_id": "G-9"}
    found = error(sending(), process_request=answering(404, body))
    assert isinstance(found, BadAnswer)
    assert (found.status, found.reason, found.request_id) == (404, "async_job_not_found_or_not_owned", "G-9")


def test_a_plain_500_counts_against_the_whole_gateway() -> None:
    assert error(sending(), process_request=answering(500, "Internal Server Error")).whole_gateway


def test_a_redirect_is_not_followed() -> None:
    async def run() -> int:
        async with serving(hang) as elsewhere:
            how = answering(302, {}, location=f"ws://127.0.0.1:{elsewhere.port}/steal")
            found = await asyncio.to_thread(error, sending(), process_request=how)
            assert found.status == 302
            return elsewhere.connections

    assert asyncio.run(run()) == 0


def test_a_server_that_never_sends_is_no_answer() -> None:
    assert isinstance(error(sending(), QUICK), NoAnswer)


def test_a_server_that_sends_everything_but_a_snapshot_is_no_answer() -> None:
    async def chatter(socket: ServerConnection) -> None:
        while True:
            await socket.send('{"type":"pong"}')
            await asyncio.sleep(0.02)

    assert isinstance(error(chatter, QUICK), NoAnswer)


def test_a_huge_frame_is_not_read() -> None:
    found = error(sending(json.dumps({"type": "job.snapshot", "data": {"x": "x" * 2_000_000}})))
    assert isinstance(found, NoAnswer)


def test_a_close_without_a_snapshot_is_a_bad_answer() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.close()

    assert isinstance(error(handler), BadAnswer)


def test_a_refused_connection_is_unreachable() -> None:
    async def run() -> None:
        async with serving(hang) as server:
            port = server.port
        async with gateway_at(port) as gateway:
            await gateway.snapshot("G-1")

    with pytest.raises(Unreachable):
        asyncio.run(run())


@pytest.mark.parametrize("script", [cut_before_headers, nonsense, hang], ids=lambda script: script.__name__)
def test_a_cut_handshake_is_no_answer(script: Any) -> None:
    async def run() -> None:
        async with serving(script) as server, gateway_at(server.port, QUICK) as gateway:
            await gateway.snapshot("G-1")

    with pytest.raises(NoAnswer):
        asyncio.run(run())
