"""Deliveries that are not believed: refused, counted and kept for a person."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest
from freezegun import freeze_time
from pydantic import SecretStr

from orchestrator import wiring
from orchestrator.core.lifecycle import State
from orchestrator.web.receiver import make_receiver
from tests.integration.receiver.door import EXAMPLES, GATEWAY_ID, Door, example


def test_a_forged_delivery_is_refused_and_kept_for_a_person_to_see(door: Door) -> None:
    door.knows()
    answer = door.post(example("video.completed"), secret="whsec_guess")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "forged"
    assert (door.job().state, door.inbox) == (State.WAITING, [])
    (kept,) = door.ring
    assert (kept.reason, kept.account_id, kept.truncated) == ("forged", "default", False)


@pytest.mark.parametrize(("age", "status"), [(300, 200), (301, 401), (-300, 200), (-301, 401)])
def test_a_delivery_signed_too_long_ago_or_in_the_future_is_refused(
    door: Door, age: float, status: int
) -> None:
    door.engine.now = float(int(door.engine.now))
    door.knows()
    answer = door.post(example("video.completed"), at=door.engine.now - age)
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["code"] == "stale"


async def ask(door: Door, body: bytes, headers: dict[str, str]) -> int:
    """The status that a receiver with the real wall clock answers, without a wire."""
    app = make_receiver(door.context, lambda _: None, wiring.wall_clock, beat_expected=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        return (await client.post("/webhooks/gateway/default", content=body, headers=headers)).status_code


@pytest.mark.parametrize(("late", "status"), [(-301, 401), (-300, 200), (300, 200), (301, 401)])
def test_the_tolerance_is_judged_by_the_wall_clock(closed_door: Door, late: int, status: int) -> None:
    closed_door.knows()
    closed_door.context.webhook_secrets = {"default": (SecretStr(EXAMPLES["secret"]),)}
    sent = EXAMPLES["examples"][0]
    moment = datetime.fromtimestamp(int(sent["headers"]["x-phaseo-timestamp"]) + late, UTC)
    with freeze_time(moment, ignore=["asyncio"]):  # servers of other tests run in this process
        assert asyncio.run(ask(closed_door, sent["raw_body"].encode(), sent["headers"])) == status


@pytest.mark.parametrize("missing", ["x-phaseo-signature", "x-phaseo-timestamp"])
def test_a_delivery_without_its_headers_is_refused(door: Door, missing: str) -> None:
    delivery = door.delivery(example("video.completed"))
    headers = {name: value for name, value in delivery.headers.items() if name != missing}
    answer = door.http.post("/webhooks/gateway/default", content=delivery.body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "no_signature")


def test_a_signature_header_of_other_bytes_than_ascii_is_refused(door: Door) -> None:
    body = b"{}"
    request = (
        b"POST /webhooks/gateway/default HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"x-phaseo-timestamp: 1787220300\r\nx-phaseo-signature: \xc3\xa9\xff" + b"0" * 62 + b"\r\n"
        b"Connection: close\r\nContent-Length: 2\r\n\r\n" + body
    )
    assert door.raw(request).startswith(b"HTTP/1.1 401 ")
    assert door.ring[0].reason == "forged"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"data": []}',
        b'{"data": {}}',
        b'{"data": {"id": 7}}',
        b'{"data": {"id": "../../etc"}}',
        b'\xff\xfe{"data": {"id": "G-1"}}',
        b'\xef\xbb\xbf{"data": {"id": "G-1"}}',
        b"[" * 30_000 + b"]" * 30_000,
        b'{"data":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"data": {"id": "' + b"G" * 200 + b'"}}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_signed_body_that_is_no_webhook_is_a_clean_400(door: Door, body: bytes) -> None:
    answer = door.post(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable")
    assert door.inbox == []
    assert door.ring[0].reason == "unreadable"


def test_hostile_values_in_a_signed_body_do_no_harm(door: Door) -> None:
    door.knows()
    odd = b'{"id":"\\u0000\\ud800","type":"video.\\u0000","data":{"id":"%s","status":{"a":[1e999]},' % (
        GATEWAY_ID.encode()
    )
    odd += b'"progress":1e400,"session_id":"%s","provider":["x"],"model":NaN}}' % (b"s" * 5_000)
    assert door.post(odd).status_code in (200, 202)
    assert door.job().state is State.WAITING


def test_a_flood_of_forgeries_fills_neither_the_ring_nor_the_disk(door: Door) -> None:
    minute = [60.0]
    door.context.rejections.clock = lambda: minute[0]
    for _ in range(30):
        assert door.post(b"x" * 20_000, secret="whsec_guess").status_code == 401
    assert len(door.ring) == 5, "as many as the ring holds"
    assert door.ring[0].id == 8, "no more than were allowed in a minute were ever written"
    assert {len(one.body) for one in door.ring} == {8 * 1024}
    assert all(one.truncated for one in door.ring)
    minute[0] += 60
    door.post(b"y", secret="whsec_guess")
    assert door.ring[0].body == b"y"
    other = door.post(b"z", account="other", secret="whsec_guess")
    assert other.status_code == 401
    assert door.ring[0].account_id == "other"


def test_headers_that_are_kept_are_few_and_short(door: Door) -> None:
    delivery = door.delivery(b"{}")
    door.send(delivery, authorization="Bearer hunter2", cookie="hunter2", **{"x-phaseo-long": "v" * 5_000})
    (kept,) = door.ring
    assert "hunter2" not in str(kept.headers)
    assert len(kept.headers["x-phaseo-long"]) == 300
