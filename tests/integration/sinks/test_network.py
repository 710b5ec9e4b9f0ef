"""What the guarded client connects to, and what it never does, whatever names resolve to."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from orchestrator.errors import DestinationError
from orchestrator.sinks.base import Tools
from orchestrator.sinks.network import UNSENT_SECONDS, AddressRefused, guarded_client, judged_socket
from orchestrator.sinks.webhook import WebhookSink
from tests.integration.gateway.servers import Server
from tests.integration.sinks.receivers import answering, options, publish, served, tools
from tests.ports import free_port

ALLOWED, INSIDE = "127.0.0.2", "127.0.0.1"  # the first stands for a public address: it is allowed


class Answers(AbstractResolver):
    """A DNS server that gives these answers, one after the other, and then the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def by() -> Iterator[Tools]:
    with tools() as by:
        yield by


@pytest.fixture
def inside(by: Tools) -> Iterator[Server]:
    """A server inside, that must never be connected to."""
    with served(by, answering(200, b"secrets"), INSIDE, free_port()) as server:
        yield server


@contextmanager
def sink_at(by: Tools, port: int, resolver: AbstractResolver, *allow: str) -> Iterator[WebhookSink]:
    """A sink that calls a host whose name this resolver knows."""
    told = options(f"http://receiver.example:{port}/hook", allow=allow)
    sink = WebhookSink(told, by, guarded_client(told.allow, resolver=resolver))
    try:
        yield sink
    finally:
        sink.close()


def test_a_name_that_is_bound_anew_to_an_inner_address_is_not_followed(by: Tools, inside: Server) -> None:
    resolver = Answers([ALLOWED], [INSIDE])
    with (
        served(by, answering(200), ALLOWED, inside.port) as outside,
        sink_at(by, inside.port, resolver, ALLOWED) as sink,
    ):
        sink.check()
        with pytest.raises(DestinationError, match=r"127\.0\.0\.1 is a loopback address") as raised:
            publish(sink)
        assert "`allow`" in raised.value.hint
        assert raised.value.retry.again, "DNS may be right again in an hour"
        assert outside.connections == 1
    assert inside.connections == 0
    assert resolver.asked == ["receiver.example"] * 2, "once for each connection, never before"


@pytest.mark.parametrize("order", [[INSIDE, ALLOWED], [ALLOWED, INSIDE], ["::1", INSIDE, ALLOWED]], ids=str)
def test_of_several_addresses_only_those_that_are_fit_are_tried(
    by: Tools, inside: Server, order: list[str]
) -> None:
    with served(by, answering(200), ALLOWED, inside.port) as outside:
        with sink_at(by, inside.port, Answers(order), ALLOWED) as sink:
            assert publish(sink).status == 200
        assert outside.connections == 1
    assert inside.connections == 0


def test_an_inner_address_is_not_tried_when_the_public_one_does_not_answer(by: Tools, inside: Server) -> None:
    resolver, refused = (
        Answers([ALLOWED, INSIDE]),
        pytest.raises(DestinationError, match="connection refused"),
    )
    with sink_at(by, inside.port, resolver, ALLOWED) as sink, refused:
        publish(sink)
    assert inside.connections == 0


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (INSIDE, "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("169.254.169.254", "metadata"),
        ("fe80::1%lo", "scope id"),
        ("127.1", "no IP address"),
        ("localhost", "no IP address"),
    ],
)
def test_whatever_dns_says_nothing_inside_is_connected_to(
    by: Tools, inside: Server, address: str, why: str
) -> None:
    with sink_at(by, inside.port, Answers([address])) as sink, pytest.raises(DestinationError, match=why):
        publish(sink)
    assert inside.connections == 0


@pytest.mark.parametrize(
    "host",
    [INSIDE, "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::1]", "127.1", "2130706433", "0x7f.1"],
)
def test_an_address_in_the_url_is_refused_by_the_socket_too(by: Tools, inside: Server, host: str) -> None:
    """The client alone, as if the check of the URL had missed it."""

    async def call() -> None:
        async with guarded_client([ip_network(ALLOWED)]) as client:
            with pytest.raises((httpx.HTTPError, aiohttp.ClientError)):
                await client.post(f"http://{host}:{inside.port}/")

    by.run(call())
    assert inside.connections == 0


def test_what_is_allowed_is_connected_to(by: Tools, inside: Server) -> None:
    for answer in ([INSIDE], ["::ffff:127.0.0.1", INSIDE]):
        with sink_at(by, inside.port, Answers(answer), INSIDE) as sink:
            publish(sink)
    assert inside.connections == 2


def test_a_name_that_does_not_resolve_is_told_apart(by: Tools) -> None:
    with sink_at(by, 80, Answers([])) as sink:
        with pytest.raises(DestinationError, match="its name cannot be resolved") as raised:
            publish(sink)
        assert raised.value.retry.again


def test_dns_that_does_not_answer_is_cut_by_the_deadline(by: Tools) -> None:
    class Silent(Answers):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            await asyncio.Event().wait()
            return []

    told = options("http://receiver.example/", timeout_seconds=0.2)
    sink = WebhookSink(told, by, guarded_client(resolver=Silent([])))
    with pytest.raises(DestinationError, match="no answer within"):
        publish(sink)
    sink.close()


def test_the_environment_has_no_say(
    by: Tools, inside: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy = f"http://{INSIDE}:{inside.port}"
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    (tmp_path / "netrc").write_text("machine receiver.example login me password hush\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with served(by, answering(200), ALLOWED, inside.port) as outside:
        with sink_at(by, inside.port, Answers([ALLOWED]), ALLOWED) as sink:
            publish(sink)
        (request,) = outside.requests
    assert "authorization" not in request.headers
    assert inside.connections == 0


def test_a_socket_whose_bytes_nobody_takes_is_given_up_by_the_system() -> None:
    where = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (INSIDE, 80))
    with pytest.raises(AddressRefused, match="loopback"):
        judged_socket(where, [])
    with judged_socket(where, [ip_network(INSIDE)]) as made:
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == UNSENT_SECONDS * 1000
