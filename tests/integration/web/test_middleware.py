"""Around the doors: limits hold for whatever is sent, and answers and logs carry what they must."""

import json
import logging
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from orchestrator.core.access import Caller
from orchestrator.metrics import REGISTRY
from orchestrator.telemetry import Event, JsonLines, log
from orchestrator.web.middleware import (
    BODIES_AT_ONCE,
    LONGEST_TARGET,
    MOST_HEADERS,
    Bodies,
    Heads,
    Named,
    Recorded,
    SecurityHeaders,
)
from tests.integration.web.guarded import exchange, served, status_of
from tests.patience import LONG
from tests.sandbox.harness import until

MOST = 4_096
IN_TIME = 0.4
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Address = tuple[str, int]


async def echo(request: Request) -> Response:
    log(Event.STORE_FAILED, error="one line of the request")
    return JSONResponse(
        {"bytes": len(await request.body()), "state": request.scope["state"].get("traceparent")}
    )


async def known(request: Request) -> Response:
    request.state.caller = Caller("key_1", "acme", frozenset())
    return JSONResponse({}, headers={"Cache-Control": "private"})


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/broken":
        raise ValueError("a prompt about waves")
    await Starlette(routes=ROUTES)(scope, receive, send)


async def half(_: Request) -> Response:
    async def parts() -> Any:
        yield b"half of it"
        raise ValueError("a prompt about waves")

    return StreamingResponse(parts())


ROUTES = [
    Route("/v1/jobs", echo, methods=["GET", "POST"]),
    Route("/v1/jobs/{job_id}", known),
    Route("/half", half),
]


@pytest.fixture(scope="module")
def address() -> Iterator[Address]:
    ids, ticks = count(1), count(0)
    recorded = Recorded(Heads(Bodies(app, MOST, IN_TIME)), lambda: float(next(ticks)))
    around = Named(SecurityHeaders(recorded), lambda: f"made-{next(ids)}")
    with served(around) as there:
        yield there


@pytest.fixture
def client(address: Address) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"http://{address[0]}:{address[1]}", timeout=LONG, trust_env=False, verify=False
    ) as client:
        yield client


def head(method: str = "POST", path: str = "/v1/jobs", **headers: object) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: here"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def lines(caplog: pytest.LogCaptureFixture, event: Event, many: int = 1) -> list[dict[str, Any]]:
    """Those of an event, once there are so many: that of a request is written a moment after its answer."""

    def there() -> list[dict[str, Any]]:
        written = [json.loads(JsonLines().format(one)) for one in list(caplog.records)]
        found = [one for one in written if one["event"] == event]
        return found if len(found) >= many else []

    return until(there)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "orchestrator")
    return caplog


def test_a_body_of_the_largest_size_reaches_the_door_whole(client: httpx.Client) -> None:
    assert client.post("/v1/jobs", content=b"x" * MOST).json()["bytes"] == MOST


def test_a_larger_body_is_refused_before_it_is_sent(address: Address) -> None:
    answer = exchange(address, head(Content_Length=10**12))
    assert status_of(answer) == 413
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_large"


def test_a_larger_body_in_chunks_is_refused_once_it_is_too_large(address: Address) -> None:
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    assert status_of(exchange(address, head(Transfer_Encoding="chunked") + chunk * 5)) == 413


def test_more_than_was_said_never_reaches_the_door(address: Address) -> None:
    # What is beyond the length that was said is another request, and no HTTP.
    answer = exchange(address, head(Content_Length=3) + b"abc" + b"x" * 100 + b"\r\n\r\n")
    assert b'"bytes":3' in answer
    assert b"HTTP/1.1 400" in answer


def test_a_body_that_is_shorter_than_was_said_is_waited_for_only_so_long(address: Address) -> None:
    answer = exchange(address, head(Content_Length=10) + b"abc")
    assert status_of(answer) == 408
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("length", ["-1", "abc", "1, 2"])
def test_a_length_that_is_none_is_refused(address: Address, length: str) -> None:
    assert status_of(exchange(address, head(Content_Length=length) + b"abc")) == 400


def test_two_lengths_or_a_length_of_chunks_smuggle_nothing(address: Address) -> None:
    """What a proxy took for the rest of a body must not be answered as a request: we hang up."""
    smuggled = b"0\r\n\r\n" + head("GET")
    two = b"POST /v1/jobs HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
    both = head(Content_Length=len(smuggled), Transfer_Encoding="chunked") + smuggled
    old = head(Transfer_Encoding="chunked", Connection="keep-alive").replace(b"/1.1", b"/1.0") + smuggled
    for one in (two, both, old):
        answer = exchange(address, one)
        assert (status_of(answer), answer.count(b"HTTP/1.1 ")) == (400, 1)


def test_not_more_is_held_at_once_than_so_many_bodies(address: Address) -> None:
    waiting: list[socket.socket] = []
    try:
        for _ in range(BODIES_AT_ONCE):
            waiting.append(socket.create_connection(address, timeout=LONG))
            waiting[-1].sendall(head(Content_Length=MOST) + b"x" * (MOST - 1))
        refused = [one for one in waiting if status_of(one.recv(65_536)) == 408]
        assert len(refused) == BODIES_AT_ONCE, "each is too slow; none was too much"
    finally:
        for one in waiting:
            one.close()
    assert status_of(exchange(address, head(Content_Length=3) + b"abc", end=b"}")) == 200


def test_what_is_more_than_that_is_refused_and_the_others_go_on() -> None:
    with served(Named(Bodies(app, MOST, LONG), lambda: "r")) as address, ExitStack() as open_sockets:
        sending = [
            open_sockets.enter_context(socket.create_connection(address, timeout=LONG))
            for _ in range(BODIES_AT_ONCE + 1)
        ]
        for one in sending:
            one.sendall(head(Content_Length=MOST) + b"x" * (MOST - 1))
        refused, _, _ = select.select(sending, [], [], LONG)
        answer = b"".join(iter(partial(refused[0].recv, 65_536), b""))
        assert status_of(answer) == 503
        assert b'"code": "busy"' in answer
        assert b"retry-after: 1\r\n" in answer.lower()
        other = next(one for one in sending if one not in refused)
        other.sendall(b"x")
        assert status_of(other.recv(65_536)) == 200


def test_strangers_who_send_slowly_keep_nobody_from_sending_little() -> None:
    sizes = [MOST - 1] * BODIES_AT_ONCE + [BODIES_AT_ONCE]  # all that is held at one time
    with served(Named(Bodies(app, MOST, LONG), lambda: "made")) as address:
        slow = [socket.create_connection(address, timeout=LONG) for _ in sizes]
        for one, size in zip(slow, sizes, strict=True):
            one.sendall(head(Content_Length=size + 1) + b"x" * size)
        until(lambda: status_of(exchange(address, head(Content_Length=9) + b"x" * 9, end=b"}")) == 503)
        assert status_of(exchange(address, head(Content_Length=4) + b"{ab}", end=b"}")) == 200
        for one in slow:
            one.close()


def test_too_many_headers_are_refused(client: httpx.Client) -> None:
    many = {f"x-{number}": "y" for number in range(MOST_HEADERS)}
    answer = client.get("/v1/jobs", headers=many)
    assert (answer.status_code, answer.json()["code"]) == (431, "too_many_headers")


def test_too_long_a_url_is_refused(client: httpx.Client) -> None:
    answer = client.get("/v1/jobs", params={"a": "b" * LONGEST_TARGET})
    assert (answer.status_code, answer.json()["code"]) == (414, "too_long_a_url")


@pytest.mark.parametrize("path", ["/v1/jobs", "/nowhere", "/broken", f"/v1/jobs?{'a' * LONGEST_TARGET}"])
def test_every_answer_has_the_security_headers_and_an_id(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["cache-control"] == "no-store"
    assert headers["x-request-id"].startswith("made-")
    assert "strict-transport-security" not in headers


def test_what_an_answer_says_itself_stays(client: httpx.Client) -> None:
    assert client.get("/v1/jobs/1").headers["cache-control"] == "private"


def test_a_sane_id_of_the_caller_is_in_the_answer_and_in_each_log_line(
    client: httpx.Client, logged: pytest.LogCaptureFixture
) -> None:
    assert client.get("/v1/jobs", headers={"x-request-id": "theirs-1"}).headers["x-request-id"] == "theirs-1"
    (within,), (request,) = lines(logged, Event.STORE_FAILED), lines(logged, Event.API_REQUEST)
    assert within["request_id"] == request["request_id"] == "theirs-1"


@pytest.mark.parametrize("given", [["a b"], ["x" * 101], ["one", "two"]])
def test_any_other_id_is_replaced(client: httpx.Client, given: list[str]) -> None:
    answer = client.get("/v1/jobs", headers=[("x-request-id", one) for one in given])
    assert answer.headers["x-request-id"].startswith("made-")


def test_a_trace_is_kept_for_the_door_and_told_back(client: httpx.Client) -> None:
    answer = client.get("/v1/jobs", headers={"traceparent": PARENT})
    assert (answer.json()["state"], answer.headers["traceparent"]) == (PARENT, PARENT)


def test_each_log_line_of_a_request_has_the_id_of_its_trace(
    client: httpx.Client, logged: pytest.LogCaptureFixture
) -> None:
    client.get("/v1/jobs", headers={"traceparent": PARENT})
    (within,), (request,) = lines(logged, Event.STORE_FAILED), lines(logged, Event.API_REQUEST)
    assert within["trace_id"] == request["trace_id"] == PARENT.split("-")[1]


def test_requests_are_measured_by_route_and_a_strangers_words_name_no_series(client: httpx.Client) -> None:
    def measured(**labels: str) -> float:
        return REGISTRY.get_sample_value("orchestrator_request_seconds_count", labels) or 0.0

    found = {"method": "GET", "route": "/v1/jobs", "status": "200"}
    strange = {"method": "other", "route": "none", "status": "404"}
    before = measured(**found), measured(**strange)
    client.get("/v1/jobs")
    client.request("STRANGE", "/v1/somewhere")
    until(lambda: (measured(**found), measured(**strange)) == (before[0] + 1, before[1] + 1))


@pytest.mark.parametrize("given", [["garbage"], [PARENT, PARENT]])
def test_what_is_no_trace_is_dropped(client: httpx.Client, given: list[str]) -> None:
    answer = client.get("/v1/jobs", headers=[("traceparent", one) for one in given])
    assert answer.json()["state"] is None
    assert "traceparent" not in answer.headers


def test_a_request_is_one_line_with_its_route_and_its_caller_and_not_its_query(
    client: httpx.Client, logged: pytest.LogCaptureFixture
) -> None:
    client.get("/v1/jobs/secret-id?token=hjt_secret", headers={"x-request-id": "r"})
    (line,) = lines(logged, Event.API_REQUEST)
    assert line.pop("at")
    assert line.pop("ms") > 0
    assert line == {
        "level": "info",
        "event": "api_request",
        "request_id": "r",
        "method": "GET",
        "route": "/v1/jobs/{job_id}",
        "status": 200,
        "tenant": "acme",
        "caller": "key_1",
    }


def test_a_request_about_a_job_is_a_line_of_that_job(
    client: httpx.Client, logged: pytest.LogCaptureFixture
) -> None:
    client.get("/v1/jobs/job_01jdz3k5t8x6n2p4q6r8s0t2v4")
    client.get("/v1/jobs/job_01jdz3k5t8x6n2p4q6r8s0t2v4x")
    known, other = lines(logged, Event.API_REQUEST, many=2)
    assert known["job"] == "job_01jdz3k5t8x6n2p4q6r8s0t2v4"
    assert "job" not in other, "nothing that cannot be the id of a job"


def test_a_bug_is_answered_and_logged_without_its_words(
    client: httpx.Client, logged: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    (broke,), (request,) = lines(logged, Event.API_BROKE), lines(logged, Event.API_REQUEST)
    assert broke["error"] == "ValueError"
    assert broke["at"][-1].endswith(" app")
    assert request["level"] == "warning"
    assert "waves" not in logged.text


def test_an_answer_that_breaks_half_way_is_cut_so_that_nobody_takes_it_for_whole(
    client: httpx.Client, logged: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/half")
    assert lines(logged, Event.API_BROKE)
    assert "waves" not in logged.text


def test_what_is_submitted_is_logged_only_where_that_is_asked_for(logged: pytest.LogCaptureFixture) -> None:
    inner = Bodies(app, MOST)
    for bodies in (False, True):
        with served(Named(Recorded(inner, lambda: 0.0, bodies=bodies), lambda: "r")) as address:
            exchange(address, head(Content_Length=5) + b"waves", end=b"}")
        assert [line.get("body") for line in lines(logged, Event.API_REQUEST)] == ["waves"] * bodies or [None]
        logged.clear()
