"""A create over real connections: whatever a server does has a class, and money is not risked."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import SecretStr

from orchestrator.core.lifecycle import Seen
from orchestrator.gateway.account import Account
from orchestrator.gateway.client import connect
from orchestrator.gateway.create_answer import CREATED, NO_JOB, REFUSED, UNCERTAIN, UNSENT, CreateAnswer
from tests.integration.gateway.misbehaving import (
    cut_before_headers,
    cut_mid_body,
    cut_mid_headers,
    drip,
    huge_headers,
    nonsense,
    oversized,
    reset_before_the_body_is_read,
)
from tests.integration.gateway.servers import (
    ENDPOINT,
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

REQUEST = {"model": "veo", "prompt": "a kite"}
EVENTS = ("video.completed", "video.failed")
OK = json.dumps({"id": "G-1", "status": "queued"}).encode()
NO_ENDPOINT = json.dumps(
    {
        "error": "validation_error",
        "description": "webhook.endpoint_id must reference an active webhook endpoint",
    }
).encode()


def create(script: Script, timeouts: Any = PATIENT, request: Any = REQUEST) -> tuple[CreateAnswer, Server]:
    async def run() -> tuple[CreateAnswer, Server]:
        async with serving(script) as server, gateway_at(server.port, timeouts) as gateway:
            return await gateway.create(request, session_id="s-1", webhook_events=EVENTS), server

    return asyncio.run(run())


async def well(wire: Wire) -> None:
    await wire.request()
    await wire.answer(200, OK)
    await hang(wire)


async def cut_at_once(wire: Wire) -> None:
    await wire.reader.read(1)


async def compressed(wire: Wire) -> None:
    await wire.request()
    await wire.answer(200, b"\x1f\x8b", "application/json", "content-encoding: gzip")


async def plain_500(wire: Wire) -> None:
    await wire.request()
    await wire.answer(500, b"Internal Server Error", "text/plain;charset=UTF-8")


async def found_elsewhere(wire: Wire) -> None:
    await wire.request()
    await wire.answer(302, b"", "text/html", f"location: http://127.0.0.1:{wire.server.port}/v2/videos")


UNANSWERED = [
    cut_before_headers,
    cut_mid_headers,
    cut_mid_body,
    reset_before_the_body_is_read,
    nonsense,
    huge_headers,
    oversized,
    compressed,
    plain_500,
    found_elsewhere,
]


def test_a_created_job_has_its_id_and_the_request_its_headers() -> None:
    answer, server = create(well)
    assert (answer.kind, answer.observation.gateway_id, answer.observation.seen) == (
        CREATED,
        "G-1",
        Seen.OPEN,
    )
    assert answer.observation.attempt_id == "s-1"
    sent = server.requests[0]
    assert sent.line == "POST /v1/videos HTTP/1.1"
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["x-session-id"] == "s-1"
    assert json.loads(sent.body) == REQUEST | {"webhook": {"endpoint_id": ENDPOINT, "events": list(EVENTS)}}


@pytest.mark.parametrize("script", UNANSWERED, ids=lambda script: script.__name__)
def test_after_the_request_has_left_no_answer_is_uncertain(script: Script) -> None:
    answer, server = create(script)
    assert answer.kind is UNCERTAIN
    assert (answer.observation.seen, answer.observation.attempt_id) == (Seen.LOST, "s-1")
    assert len(server.requests) <= 1, "an uncertain create was sent again"
    assert KEY not in repr(answer)


@pytest.mark.parametrize("script", [drip, hang], ids=lambda script: script.__name__)
def test_the_total_deadline_holds_and_is_uncertain(script: Script) -> None:
    answer, _ = create(script, QUICK)
    assert answer.kind is UNCERTAIN
    assert answer.observation.failure is not None
    assert answer.observation.failure.message == "no answer in 1 s"


def test_a_refused_connection_is_surely_unsent() -> None:
    async def run() -> CreateAnswer:
        async with serving(hang) as server:
            port = server.port
        async with gateway_at(port) as gateway:
            return await gateway.create(REQUEST, session_id="s-1", webhook_events=None)

    answer = asyncio.run(run())
    assert (answer.kind, answer.observation.seen) == (UNSENT, Seen.NO_JOB)


def test_a_failed_tls_handshake_is_surely_unsent() -> None:
    async def run() -> CreateAnswer:
        async with serving(cut_at_once) as server:
            account = Account("main", f"https://127.0.0.1:{server.port}/v1", SecretStr(KEY), None, ())
            async with connect(account, PATIENT) as gateway:
                return await gateway.create(REQUEST, session_id="s-1", webhook_events=None)

    assert asyncio.run(run()).kind is UNSENT


def test_each_create_has_a_connection_of_its_own() -> None:
    async def keep_alive(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.answer(200, OK)

    async def run() -> Server:
        async with serving(keep_alive) as server, gateway_at(server.port) as gateway:
            for _ in range(3):
                await gateway.create(REQUEST, session_id="s-1", webhook_events=None)
            return server

    assert asyncio.run(run()).connections == 3


def test_a_redirect_of_the_whole_host_is_not_followed() -> None:
    async def moved(wire: Wire) -> None:
        await wire.request()
        await wire.answer(308, b"", "text/html", f"location: http://127.0.0.1:{wire.server.port}/v2/videos")

    answer, server = create(moved)
    assert (answer.kind, len(server.requests)) == (NO_JOB, 1)


def test_a_refused_endpoint_costs_the_webhook_and_not_the_job() -> None:
    async def refuse_webhooks(wire: Wire) -> None:
        request = await wire.request()
        await wire.answer(*((400, NO_ENDPOINT) if b"webhook" in request.body else (200, OK)))

    answer, server = create(refuse_webhooks)
    assert (answer.kind, answer.webhook_refused) == (CREATED, True)
    assert [("webhook" in json.loads(sent.body)) for sent in server.requests] == [True, False]


def test_a_refused_endpoint_is_told_even_when_the_second_try_is_lost() -> None:
    async def refuse_then_hang(wire: Wire) -> None:
        request = await wire.request()
        await (wire.answer(400, NO_ENDPOINT) if b"webhook" in request.body else hang(wire))

    answer, _ = create(refuse_then_hang, QUICK)
    assert (answer.kind, answer.webhook_refused) == (UNCERTAIN, True)


def test_a_refusal_of_anything_else_is_not_tried_again() -> None:
    async def refuse(wire: Wire) -> None:
        await wire.request()
        await wire.answer(
            400, json.dumps({"error": "validation_error", "description": "prompt is required"}).encode()
        )

    answer, server = create(refuse)
    assert (answer.kind, answer.webhook_refused, len(server.requests)) == (REFUSED, False, 1)


def test_a_request_that_is_no_json_is_refused_before_it_leaves() -> None:
    answer, server = create(well, request={"seed": float("nan")})
    assert (answer.kind, server.connections) == (REFUSED, 0)


def test_a_key_echoed_by_the_server_is_not_kept() -> None:
    async def echo(wire: Wire) -> None:
        sent = await wire.request()
        body = json.dumps({"error": "unauthorised", "description": sent.headers["authorization"]}).encode()
        await wire.answer(401, body)

    answer, _ = create(echo)
    assert answer.kind is REFUSED
    assert KEY not in repr(answer)
    assert "***" in repr(answer)
