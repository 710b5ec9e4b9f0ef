"""Requests that are no deliveries: their type, size, path and method."""

from contextlib import suppress
from typing import Any

import httpx
import pytest

from orchestrator.engine.receive import CHECK
from tests.integration.receiver.door import Door, example


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "json"])
def test_another_content_type_is_refused(door: Door, content_type: str | None) -> None:
    answer = door.post(example("video.completed"), content_type=content_type)
    assert answer.status_code == 415
    assert (door.inbox, door.ring) == ([], [])


def test_a_content_type_with_a_charset_is_taken(door: Door) -> None:
    door.knows()
    answer = door.post(example("video.completed"), content_type="Application/JSON; charset=utf-8")
    assert answer.status_code == 200


def test_an_unknown_account_is_not_found(door: Door) -> None:
    assert door.post(example("video.completed"), account="nobody").status_code == 404
    assert (door.inbox, door.ring) == ([], [])


def test_only_posts_are_taken(door: Door) -> None:
    assert door.http.get("/webhooks/gateway/default").status_code == 405
    assert door.http.get("/healthz").json() == {"status": "ok"}
    assert door.http.get("/readyz").json() == {"status": "ready", "alarms": []}


def test_a_body_that_says_it_is_too_large_is_refused(door: Door) -> None:
    assert door.post(b" " * (64 * 1024 + 1)).status_code == 413
    assert (door.inbox, door.ring) == ([], [])


def test_a_body_that_grows_too_large_is_refused_without_reading_on(door: Door) -> None:
    read: list[int] = []

    def endless() -> Any:
        for number in range(100_000):
            read.append(number)
            yield b" " * 4096

    headers = door.delivery(b"").headers
    with suppress(httpx.TransportError):  # the connection may be gone before the answer is read
        answer = door.http.post("/webhooks/gateway/default", content=endless(), headers=headers)
        assert answer.status_code == 413
    assert len(read) < 50_000
    assert (door.inbox, door.ring) == ([], [])


def test_a_body_of_just_the_limit_is_read(door: Door) -> None:
    door.knows()
    body = example("video.completed")
    delivery = door.delivery(body)
    padded = delivery.body + b" " * (64 * 1024 - len(delivery.body))
    assert door.post(padded).status_code == 200


def test_a_sender_that_hangs_up_half_way_leaves_nothing_behind(door: Door) -> None:
    door.knows()
    delivery = door.delivery(example("video.completed"))
    head = f"POST /webhooks/gateway/default HTTP/1.1\r\nHost: x\r\nContent-Length: {len(delivery.body)}\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in delivery.headers.items())
    door.raw(f"{head}{lines}\r\n".encode() + delivery.body[:500], hang_up=True)
    assert door.post(example("video.completed")).status_code == 200
    assert door.ring == [], "that nobody waits for an answer is no forgery"
    assert len(door.inbox) == 1


@pytest.mark.parametrize("path", ["/healthz/", "/readyz/", "/webhooks/gateway/default//"])
def test_no_path_is_answered_by_a_redirect(door: Door, path: str) -> None:
    """It would repeat the query, where tokens and signatures are, at whatever host the request names."""
    answer = door.http.get(path, params={"token": "hjt_x"}, headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer.headers.get("location")) == (404, None)


def test_a_check_that_is_signed_is_answered_with_what_is_seen_and_nothing_is_kept(door: Door) -> None:
    answer = door.post(CHECK + b',"text":"x"}')
    assert answer.status_code == 200
    assert answer.json() == {"status": "checked", "scheme": "http", "client": "127.0.0.1"}
    assert not door.inbox
    assert not door.ring
    assert door.post(CHECK + b"}", secret="whsec_of_nobody").json()["code"] == "forged"
