"""Looks, lists and links over real connections: an answer, or one of our errors that tells what to do."""

import asyncio
import json
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from orchestrator.core.job import Source
from orchestrator.core.lifecycle import Seen
from orchestrator.errors import NEVER, BadAnswer, GatewayError, NoAnswer, Unreachable
from orchestrator.gateway.client import Gateway, Link
from tests.integration.gateway.misbehaving import (
    cut_before_headers,
    cut_mid_body,
    cut_mid_headers,
    drip,
    huge_headers,
    nonsense,
    oversized,
    reset,
)
from tests.integration.gateway.servers import (
    KEY,
    PATIENT,
    QUICK,
    Script,
    Server,
    Wire,
    gateway_at,
    hang,
    serving,
)

JOB = "G-1"
T = TypeVar("T")
DONE = {"id": JOB, "status": "completed", "poll_after_seconds": 20, "outputs": []}


def ask(script: Script, call: Callable[[Gateway], Awaitable[T]], timeouts: Any = PATIENT) -> tuple[T, Server]:
    async def run() -> tuple[T, Server]:
        async with serving(script) as server, gateway_at(server.port, timeouts) as gateway:
            return await call(gateway), server

    return asyncio.run(run())


def answering(status: int, body: Any, content_type: str = "application/json", *more: str) -> Script:
    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            await wire.answer(status, raw, content_type, *more)

    return script


def look_error(script: Script, timeouts: Any = PATIENT) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        ask(script, lambda gateway: gateway.look(JOB), timeouts)
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown + repr(caught.value) + repr(caught.value.__cause__)
    return caught.value


def test_a_look_sees_the_job_and_the_wait_asked_for() -> None:
    script = answering(200, DONE, "application/json", "retry-after: 40")
    seen, server = ask(script, lambda gateway: gateway.look(JOB))
    assert (seen.source, seen.seen, seen.outputs) == (Source.POLL, Seen.COMPLETED, ())
    assert (seen.poll_after, seen.retry_after) == (20.0, 40.0)
    assert server.requests[0].line == "GET /v1/videos/G-1 HTTP/1.1"
    assert server.requests[0].headers["accept-encoding"] == "identity"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_no_look_brings_back_a_cookie() -> None:
    async def twice(gateway: Gateway) -> None:
        for _ in range(2):
            await gateway.look(JOB)

    _, server = ask(answering(200, DONE, "application/json", "set-cookie: who=you; path=/"), twice)
    assert ["cookie" in request.headers for request in server.requests] == [False, False]


def test_looks_share_a_connection() -> None:
    async def thrice(gateway: Gateway) -> None:
        for _ in range(3):
            await gateway.look(JOB)

    _, server = ask(answering(200, DONE), thrice)
    assert (server.connections, len(server.requests)) == (1, 3)


def test_a_kept_alive_connection_that_the_server_closed_is_no_error() -> None:
    async def once_per_connection(wire: Wire) -> None:
        await wire.request()
        await wire.answer(200, json.dumps(DONE).encode())

    async def thrice(gateway: Gateway) -> list[Seen]:
        return [(await gateway.look(JOB)).seen for _ in range(3)]

    seen, server = ask(once_per_connection, thrice)
    assert seen == [Seen.COMPLETED] * 3
    assert server.connections == 3


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"error": "not_found", "reason": "video_not_found_or_not_owned", "request_id": "G-9"}),
        (
            502,
            {"error": "upstream_error", "reason": "google_video_operation_fetch_failed", "request_id": "G-9"},
        ),
        (401, {"error": "unauthorised", "reason": "db_error", "request_id": "G-9"}),
        (302, {"error": "x", "reason": "y", "request_id": "G-9"}),
    ],
)
def test_an_error_answer_says_nothing_about_the_job(status: int, body: dict[str, str]) -> None:
    error = look_error(
        answering(status, body, "application/json", "retry-after: 7", "location: /v1/videos/G-1")
    )
    assert isinstance(error, BadAnswer)
    assert (error.status, error.code, error.reason, error.request_id) == (
        status,
        body["error"],
        body["reason"],
        "G-9",
    )
    assert (error.retry.again, error.retry.after, error.whole_gateway) == (True, 7.0, False)


def test_only_a_plain_text_500_counts_against_the_whole_gateway() -> None:
    assert look_error(answering(500, b"Internal Server Error", "text/plain;charset=UTF-8")).whole_gateway
    assert not look_error(answering(500, {"error": "gateway_error"})).whole_gateway
    assert not look_error(answering(503, b"<html>", "text/html")).whole_gateway


@pytest.mark.parametrize(
    "script",
    [cut_before_headers, cut_mid_headers, cut_mid_body, reset, nonsense, huge_headers],
    ids=lambda script: script.__name__,
)
def test_a_cut_is_no_answer_and_does_not_count_against_the_whole_gateway(script: Script) -> None:
    error = look_error(script)
    assert isinstance(error, NoAnswer)
    assert error.retry.again
    assert not error.whole_gateway


@pytest.mark.parametrize("script", [drip, hang], ids=lambda script: script.__name__)
def test_the_total_deadline_holds(script: Script) -> None:
    assert isinstance(look_error(script, QUICK), NoAnswer)


def test_a_refused_connection_counts_against_the_whole_gateway() -> None:
    async def run() -> None:
        async with serving(hang) as server:
            port = server.port
        async with gateway_at(port) as gateway:
            await gateway.look(JOB)

    with pytest.raises(Unreachable) as caught:
        asyncio.run(run())
    assert caught.value.whole_gateway


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (oversized, "too_long"),
        (answering(200, b"\x1f\x8b", "application/json", "content-encoding: gzip"), "compressed"),
        (answering(200, b"<html>", "text/html"), "not_json"),
        (answering(200, b"[]"), "not_json"),
        (answering(200, {}), "not_a_job"),
        (answering(200, {"id": "G-2", "status": "completed"}), "not_a_job"),
    ],
)
def test_what_is_no_answer_about_the_job_is_a_bad_answer(script: Script, reason: str) -> None:
    error = look_error(script)
    assert isinstance(error, BadAnswer)
    assert (error.reason, error.whole_gateway) == (reason, False)


@pytest.mark.parametrize("job", ["", "../keys", "G-1/content", "G-1?x=1", "G 1", "é", "x" * 200])
def test_an_id_that_is_none_never_reaches_a_url(job: str) -> None:
    async def all_refused(gateway: Gateway) -> None:
        for call in (gateway.look, gateway.snapshot, gateway.download_url):
            with pytest.raises(BadAnswer) as caught:
                await call(job)
            assert caught.value.retry == NEVER

    _, server = ask(hang, all_refused)
    assert server.connections == 0


def test_the_list_gives_stored_evidence() -> None:
    items = [{"id": "G-1", "status": "failed"}, {"id": "../x", "status": "queued"}, "odd", {"id": "G-2"}]
    seen, server = ask(answering(200, {"data": items}), lambda gateway: gateway.list_recent(500))
    assert [(each.gateway_id, each.seen) for each in seen] == [
        ("G-1", Seen.FAILED_STORED),
        ("G-2", Seen.OPEN),
    ]
    assert server.requests[0].line == "GET /v1/videos?limit=100 HTTP/1.1"


def test_a_list_without_data_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer):
        ask(answering(200, {"object": "list"}), lambda gateway: gateway.list_recent())


def link(body: Any) -> tuple[Link, Server]:
    return ask(answering(200, body), lambda gateway: gateway.download_url(JOB, index=1, ttl_seconds=60))


def test_a_link_is_minted_and_not_shown() -> None:
    url = "https://api.phaseo.app/v1/videos/G-1/content?download_sig=feed"
    found, server = link({"download_url": url, "expires_at": 1795329368})
    assert (found.url.get_secret_value(), found.expires_at) == (url, 1795329368.0)
    assert "feed" not in repr(found)
    assert server.requests[0].line == "POST /v1/videos/G-1/download_url HTTP/1.1"
    assert json.loads(server.requests[0].body) == {"ttl_seconds": 60, "disposition": "attachment", "index": 1}


@pytest.mark.parametrize("body", [{}, {"download_url": None}, {"download_url": "javascript:alert(1)"}])
def test_an_answer_without_a_link_is_a_bad_answer(body: Any) -> None:
    with pytest.raises(BadAnswer):
        link(body)


def test_the_key_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def everything(gateway: Gateway) -> str:
        await gateway.look(JOB)
        await gateway.create({}, session_id="s-1", webhook_events=None)
        with pytest.raises(GatewayError):
            await gateway.snapshot(JOB)
        return repr(gateway) + repr(gateway.account)

    with caplog.at_level(logging.DEBUG):
        shown, server = ask(answering(200, DONE), everything)
    assert len(server.requests) == 3
    assert KEY not in caplog.text + shown
