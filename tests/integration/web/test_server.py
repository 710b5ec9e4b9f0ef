"""The server in front of the doors: silence is hung up on, work is not, connections have an end."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from orchestrator.web.server import LONGEST_HEAD, Guarded, Limits, make_server
from tests.patience import LONG
from tests.sandbox.harness import until

SOON = 0.3
MIB = 1 << 20
MIB_OF_A_LONG_ANSWER = 64  # far more than the system holds for a client
GET = b"GET /quick HTTP/1.1\r\nHost: here\r\n\r\n"
GET_SLOWLY = b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n"


class Served:
    """A running server with a quick answer and one that comes when the test lets it."""

    def __init__(self, limits: Limits) -> None:
        self.begun = threading.Event()
        self.may_answer = threading.Event()
        self.cut = threading.Event()
        app = Starlette(
            routes=[Route("/quick", self._quick), Route("/slow", self._slow), Route("/long", self._long)]
        )
        self._listening = socket.create_server(("127.0.0.1", 0))
        # Without the pause after an answer that the server allows by itself: it is ours that is tried.
        port = self._listening.getsockname()[1]
        self._server = make_server(app, {port: limits}, timeout_keep_alive=round(10 * LONG))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})
        self._thread.start()
        self._clients: list[socket.socket] = []
        until(lambda: self._server.started)

    async def _quick(self, _: Request) -> Response:
        return PlainTextResponse("quick")

    async def _slow(self, _: Request) -> Response:
        self.begun.set()
        await asyncio.to_thread(self.may_answer.wait, LONG)
        return PlainTextResponse("slow")

    async def _long(self, _: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            try:
                for _ in range(MIB_OF_A_LONG_ANSWER):
                    yield b"x" * MIB
            finally:
                self.cut.set()

        return StreamingResponse(parts())

    def connect(self) -> socket.socket:
        client = socket.create_connection(self._listening.getsockname(), timeout=LONG)
        self._clients.append(client)
        return client

    def close(self) -> None:
        self.may_answer.set()
        for client in self._clients:
            client.close()
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    running = Served(getattr(request, "param", Limits()))
    yield running
    running.close()


def limited(**limits: Any) -> pytest.MarkDecorator:
    """Such limits for the port that the test connects to."""
    return pytest.mark.parametrize("served", [Limits(**limits)], indirect=True, ids=[""])


soon = limited(head_within=SOON)


def answer(client: socket.socket, end: bytes) -> bytes:
    """What comes until the body is there, or the connection is closed."""
    got = b""
    while not got.endswith(end) and (part := client.recv(65_536)):
        got += part
    return got


def hung_up_on(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


# On a busy machine a request may come too late, so these are tried until one is in time.


def answered(served: Served) -> socket.socket | None:
    """A client that got its answer."""
    client = served.connect()
    with suppress(OSError):
        client.sendall(GET)
        if answer(client, b"quick").startswith(b"HTTP/1.1 200"):
            return client
    return None


def asking_slowly(served: Served) -> socket.socket | None:
    """A client whose request is being answered."""
    client = served.connect()
    with suppress(OSError):
        client.sendall(GET_SLOWLY)
    return client if served.begun.wait(2) else None


@soon
@pytest.mark.parametrize("said", [b"", b"GET /quick HTTP/1.1\r\nHost: he", b"POST /quick HTTP/1.1\r\n"])
def test_who_brings_no_whole_head_is_hung_up_on(served: Served, said: bytes) -> None:
    client = served.connect()
    client.sendall(said)
    assert hung_up_on(client)


@soon
def test_who_was_answered_and_says_no_more_is_hung_up_on(served: Served) -> None:
    assert hung_up_on(until(lambda: answered(served)))


@soon
def test_an_answer_may_take_longer_than_a_request(served: Served) -> None:
    busy = until(lambda: asking_slowly(served))
    for _ in range(2):  # each was made later than `busy`, and is hung up on later
        assert hung_up_on(served.connect())
    served.may_answer.set()
    assert answer(busy, b"slow").startswith(b"HTTP/1.1 200")
    assert hung_up_on(busy), "its clock goes on once it is idle"


@limited(head_within=4.0)
def test_who_was_answered_just_now_has_as_long_as_at_first(served: Served) -> None:
    client = served.connect()
    for wait in (3.0, 2.0):  # the connection is older than the limit by then, its last answer is not
        time.sleep(wait)
        client.sendall(GET)
        assert answer(client, b"quick").startswith(b"HTTP/1.1 200")


def test_a_connection_serves_one_request_after_the_other(served: Served) -> None:
    client = served.connect()
    for _ in range(3):
        client.sendall(GET)
        assert answer(client, b"quick").startswith(b"HTTP/1.1 200")


@limited(connections=2)
def test_beyond_the_most_connections_the_newest_is_closed_and_the_others_are_served(served: Served) -> None:
    def ask(client: socket.socket) -> bytes:
        client.sendall(GET)
        return answer(client, b"quick")

    first, second = served.connect(), served.connect()
    assert all(ask(client).startswith(b"HTTP/1.1 200") for client in (first, second))
    assert hung_up_on(served.connect())
    assert all(ask(client).startswith(b"HTTP/1.1 200") for client in (first, second))
    first.close()
    until(lambda: answered(served))  # once the server has noticed that a place is free


@limited(head_within=10 * LONG)
def test_a_connection_that_is_over_is_held_by_nothing(served: Served) -> None:
    before = _connections()
    for _ in range(20):
        with served.connect() as client:
            client.sendall(GET)
            answer(client, b"quick")
    until(lambda: _connections() <= before)


def _connections() -> int:
    gc.collect()
    return sum(isinstance(one, Guarded) for one in gc.get_objects())


@limited(read_within=SOON)
def test_who_takes_nothing_of_a_long_answer_is_cut(served: Served) -> None:
    client = served.connect()
    client.sendall(b"GET /long HTTP/1.1\r\nHost: here\r\n\r\n")
    assert served.cut.wait(LONG)
    assert len(answer(client, b"never")) < MIB_OF_A_LONG_ANSWER * MIB


@limited(read_within=1.0)
def test_who_takes_a_long_answer_in_small_bits_gets_all_of_it(served: Served) -> None:
    client = served.connect()
    client.sendall(b"GET /long HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    slow_until, got = time.monotonic() + 2.5, 0
    while part := client.recv(MIB):
        got += len(part)
        if time.monotonic() < slow_until:
            time.sleep(0.1)
    assert got > MIB_OF_A_LONG_ANSWER * MIB


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /quick HTTP/1.1\r\nHost: here\r\nA: " + b"a" * LONGEST_HEAD, b"431"),
        (b"GET /" + b"a" * (LONGEST_HEAD + 1), b"431"),
        (b"this is no HTTP\r\n\r\n", b"400"),
    ],
)
def test_what_has_too_long_a_head_or_is_no_http_is_told_so_and_hung_up_on(
    served: Served, head: bytes, status: bytes
) -> None:
    client = served.connect()
    client.sendall(head)
    got = answer(client, b"never")
    assert got.startswith(b"HTTP/1.1 " + status), got
    assert b"connection: close" in got.lower()


def test_no_connection_is_upgraded_to_a_websocket(served: Served) -> None:
    client = served.connect()
    client.sendall(
        b"GET /quick HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AA==\r\n\r\n"
    )
    assert answer(client, b"quick").startswith(b"HTTP/1.1 200")
