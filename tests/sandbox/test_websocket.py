"""Row 24: WebSocket frames tell the stored state, and no frame closes an expired job's socket."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.patience import LONG
from tests.sandbox.harness import EXAMPLES, KEY, Sandbox, shape


@contextmanager
def following(sandbox: Sandbox, job: str, query: str = "", key: str = KEY) -> Iterator[ClientConnection]:
    url = f"ws{sandbox.url.removeprefix('http')}/async/video/{job}/ws{query}"
    with connect(url, additional_headers={"Authorization": f"Bearer {key}"}, open_timeout=LONG) as socket:
        yield socket


def frame(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(socket.recv(timeout=LONG)))


def test_the_first_frame_is_a_snapshot_with_the_data_of_a_webhook(sandbox: Sandbox) -> None:
    job = sandbox.create(session="mine", outcome="never")
    with following(sandbox, job) as socket:
        first = frame(socket)
    assert first["type"] == "job.snapshot"
    assert set(first["data"]) == set(json.loads(EXAMPLES[0]["raw_body"])["data"])
    assert first["data"]["session_id"] == "mine"
    assert first["data"]["webhook"] is None
    assert sandbox.get(job)["websocket_url"].endswith(f"/v1/async/video/{job}/ws")


def test_changes_follow_and_the_socket_closes_after_the_end(fast: Sandbox) -> None:
    job = fast.create(outcome="never")
    with following(fast, job) as socket:
        frames = [frame(socket)]
        fast.control.post(f"/jobs/{job}/end", json={"status": "completed"}).raise_for_status()
        frames += [json.loads(text) for text in socket]  # ends with a proper close only
    assert frames[0]["type"] == "job.snapshot"
    assert {row["type"] for row in frames[1:]} == {"job.updated"}
    assert frames[-1]["data"]["status"] == "completed"
    assert (socket.close_code, socket.close_reason) == (1000, "closed")


def test_an_expired_job_keeps_its_socket_open(fast: Sandbox) -> None:
    with following(fast, fast.done(outcome="expired")) as socket:
        assert frame(socket)["data"]["status"] == "expired"
        socket.send("ping")
        assert frame(socket) == {"type": "pong"}


def test_a_socket_can_stay_open_after_the_end_and_repeats_as_the_link_renews(fast: Sandbox) -> None:
    with following(fast, fast.done(), "?close_on_terminal=no&interval_ms=1000") as socket:
        links = {frame(socket)["data"]["download_url"] for _ in range(2)}
    assert len(links) == 2


def test_the_socket_asks_no_provider(sandbox: Sandbox) -> None:
    job = sandbox.done(notice="tick")
    with following(sandbox, job) as socket:
        assert frame(socket)["data"]["status"] in ("queued", "processing")
        sandbox.get(job)
        socket.send("refresh")
        assert frame(socket)["data"]["status"] == "completed"


def test_a_deleted_job_says_so(sandbox: Sandbox) -> None:
    job = sandbox.done()
    with following(sandbox, job, "?close_on_terminal=0") as socket:
        frame(socket)
        sandbox.api.delete(f"/videos/{job}")
        socket.send("refresh")
        assert frame(socket) == {"type": "job.deleted", "data": {"id": job, "kind": "video"}}


def test_a_plain_get_is_told_to_upgrade(sandbox: Sandbox) -> None:
    answer = sandbox.api.get(f"/async/video/{sandbox.create()}/ws")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert shape(answer.json()) == {"error": {"code": None, "message": None}}


@pytest.mark.parametrize(("key", "status"), [("phaseo_v1_sk_sandbox_wrong", 401), (KEY, 404)])
def test_a_bad_key_or_an_unknown_job_is_refused_before_the_upgrade(
    sandbox: Sandbox, key: str, status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused, following(sandbox, "G-NOPE", key=key):
        pass
    assert refused.value.response.status_code == status
