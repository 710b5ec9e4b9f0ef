"""Receivers that are slow, broken or hostile: each call ends in plain words, with no more than its share."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from orchestrator.errors import DestinationError
from orchestrator.sinks.calls import BODY_LIMIT
from tests.integration.gateway import misbehaving
from tests.integration.gateway.servers import Script, Wire, hang
from tests.integration.sinks.receivers import DOCUMENT, answering, calling, made, publish, tools
from tests.ports import free_port

SOON = 0.5  # seconds, where nothing but the deadline can end the call
PAUSE = 0.02
OK = b"HTTP/1.1 200 OK\r\n"


async def never_answer(wire: Wire) -> None:
    await wire.request()
    await hang(wire)


async def drip_headers(wire: Wire) -> None:
    await wire.request()
    await wire.send(OK + b"x: ")
    while True:
        await wire.send(b"x")
        await asyncio.sleep(PAUSE)


async def say_continue(wire: Wire) -> None:
    await wire.request()
    while True:
        await wire.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


async def drip_hints(wire: Wire) -> None:
    await wire.request()
    while True:
        await wire.send(b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n")
        await asyncio.sleep(PAUSE)


@pytest.mark.parametrize("script", [hang, never_answer, drip_headers, say_continue, drip_hints])
def test_who_does_not_answer_in_time_is_left(script: Script) -> None:
    with calling(script, timeout_seconds=SOON) as (sink, _):
        with pytest.raises(DestinationError, match=r"no answer within 0\.5 s") as raised:
            publish(sink)
        assert raised.value.retry.again
        assert raised.value.status is None


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (misbehaving.cut_before_headers, "it closed the connection before it answered"),
        (misbehaving.cut_mid_headers, "it closed the connection before it answered"),
        (misbehaving.reset, "it closed the connection before it answered"),
        (misbehaving.nonsense, "its answer is not HTTP"),
        (misbehaving.huge_headers, "its answer is not HTTP"),
    ],
)
def test_who_answers_nothing_that_can_be_read_is_told_apart(script: Script, why: str) -> None:
    with calling(script) as (sink, server):
        with pytest.raises(DestinationError) as raised:
            publish(sink)
        error = raised.value
    assert error.message == f"cannot call http://127.0.0.1:{server.port}/hook: {why}"
    assert error.hint
    assert error.retry.again
    assert error.__cause__ is None, "a foreign exception shows our headers"


def test_who_does_not_listen_is_told_apart() -> None:
    nobody = f"http://127.0.0.1:{free_port()}/"
    with tools() as by, made(by, nobody) as sink, pytest.raises(DestinationError, match="connection refused"):
        publish(sink)


def bodies(status: bytes) -> list[Callable[[Wire], Awaitable[None]]]:
    head = b"HTTP/1.1 " + status + b" X\r\ncontent-type: text/plain\r\n"

    async def drip(wire: Wire) -> None:
        await wire.request()
        await wire.send(head + b"content-length: 500\r\n\r\nbegun")
        while True:
            await wire.send(b" ")
            await asyncio.sleep(PAUSE)

    async def endless(wire: Wire) -> None:
        await wire.request()
        await wire.send(head + b"transfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n")
        while True:
            await wire.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    async def cut(wire: Wire) -> None:
        await wire.request()
        await wire.send(head + b"content-length: 500\r\n\r\nbegun")

    async def reads_nothing(wire: Wire) -> None:
        await wire.send(head + b"content-length: 5\r\n\r\nbegun")
        await asyncio.Event().wait()

    return [drip, endless, cut, reads_nothing]


@pytest.mark.parametrize("script", bodies(b"200"), ids=lambda script: script.__name__)
def test_a_status_counts_whatever_follows_it(script: Script) -> None:
    with calling(script) as (sink, _):
        assert publish(sink).status == 200


@pytest.mark.parametrize("script", bodies(b"503"), ids=lambda script: script.__name__)
def test_a_failure_is_told_with_what_came_of_its_body(script: Script) -> None:
    with calling(script) as (sink, _):
        with pytest.raises(DestinationError, match="answered 503") as raised:
            publish(sink)
        assert raised.value.preview in ("begun", None)


WRONG_AFTER_THE_HEADERS = [
    b"transfer-encoding: chunked\r\n\r\n5\r\nbegun\r\nzzz\r\n",
    b"content-length: 5\r\n\r\nbegun, and then some",
]


@pytest.mark.parametrize("rest", WRONG_AFTER_THE_HEADERS)
def test_what_is_wrong_after_the_headers_ends_the_call_in_one_of_two_ways(rest: bytes) -> None:
    """The status counts if it is read before what is wrong; usually both come in one piece."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 503 X\r\n" + rest)

    with calling(script) as (sink, _), pytest.raises(DestinationError, match=r"answered 503|is not HTTP"):
        publish(sink)


def test_a_huge_answer_is_not_taken_in() -> None:
    sent = []

    async def huge(wire: Wire) -> None:
        await wire.request()
        await wire.send(b"HTTP/1.1 500 X\r\ncontent-length: 100000000000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                await wire.send(b"x" * 65536)
                sent.append(65536)

    with calling(huge) as (sink, _):
        with pytest.raises(DestinationError) as raised:
            publish(sink)
        assert raised.value.preview in ("x" * 200, None)  # it has two seconds
    # What the kernels of both sides buffer, and no more.
    assert sum(sent) < BODY_LIMIT + 64 * 1024 * 1024


def test_a_redirect_is_not_followed_wherever_it_leads() -> None:
    with calling(answering(200)) as (_, inner):
        for status in (301, 302, 303, 307, 308):
            for place in (f"http://127.0.0.1:{inner.port}/", "http://169.254.169.254/latest/meta-data/"):
                with calling(answering(status, b"", f"location: {place}")) as (sink, server):
                    with pytest.raises(DestinationError, match="redirects are not followed") as raised:
                        publish(sink)
                    assert "set `url`" in raised.value.hint
                    assert raised.value.status == status
                    assert server.connections == 1
    assert inner.connections == 0


def test_who_never_reads_holds_neither_the_call_nor_its_socket() -> None:
    """More than the buffers of both kernels hold, so that it cannot all be sent."""
    taken: list[socket.socket] = []
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        with tools() as by, made(by, url, timeout_seconds=SOON) as sink:
            with pytest.raises(DestinationError, match="no answer within"):
                publish(sink, DOCUMENT[:-1] + b', "long": "' + b"x" * 200_000 + b'"}')
            taken.append(listening.accept()[0])
        for one in taken:
            one.close()
