"""The two HTTP clients, and foreign exceptions turned into ours.

Measured with 100 to 200 connections, httpx over the aiohttp transport makes 7 to 22 times the requests
per second of httpx's own pool, so everything that only reads goes there. But that transport shows a
connection cut by the server as `ConnectTimeout`, and a kept-alive connection may be stale: neither
proves that a request was never sent. A create must know, so it goes over plain httpx, each on a fresh
connection, where a connect error means what it says.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream

from orchestrator.errors import BadAnswer, GatewayError, NoAnswer, Unreachable
from orchestrator.gateway import reading
from orchestrator.gateway.account import Account

ANSWER_LIMIT = 2 * 1024 * 1024  # bytes of a JSON answer about one job, which takes a few thousand
READ = 256 * 1024  # bytes that are taken from a connection at once
LIST_LIMIT = 8 * 1024 * 1024  # of a list: 100 jobs, each with up to ten webhook attempts, maybe long prompts

# What an HTTP call may raise: httpx's own, and what its aiohttp transport lets through.
FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError)

_NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds. The totals hold even when bytes keep dripping in."""

    connect: float = 5.0  # to make a connection, TLS included
    read: float = 30.0  # for the next bytes of an answer that is not a create's
    total_create: float = 120.0  # for the whole of a create: providers are asked one after the other
    total_look: float = 30.0  # for the whole of any other JSON answer
    content_chunk: float = 60.0  # for the next 128 KiB of an output, or its end
    snapshot: float = 15.0  # for connecting to a WebSocket and its first frame


@cache
def tls() -> ssl.SSLContext:
    """The one TLS context: reading the certificates takes 25 to 50 ms."""
    return httpx.create_ssl_context(trust_env=False)


class Pooled(httpx.AsyncClient):
    """A client whose connections are kept."""

    def __init__(self, transport: httpx.AsyncBaseTransport, **what: Any) -> None:
        super().__init__(transport=transport, **what)
        self._beneath = transport
        self._times = {"timeout": self.timeout.as_dict()}

    async def directly(self, method: str, path: str, **what: Any) -> httpx.Response:
        """Send by the transport itself; the response is to be closed.

        Of a look's processor time a quarter would go into what the client does around that: keeping cookies,
        following redirects, joining URLs. The gateway has none of them.
        """
        url = f"{self.base_url}{path}"
        request = httpx.Request(method, url, headers=self.headers, extensions=self._times, **what)
        return await self._beneath.handle_async_request(request)


def pooled_client(account: Account, timeouts: Timeouts, connections: int) -> Pooled:
    """The client for everything that may be asked twice. It belongs to the first event loop that uses it.

    The environment is not trusted, here and in the fresh client: a proxy variable or a netrc file
    would see or replace our key.
    """

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=connections, ssl=tls(), keepalive_timeout=30.0)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return Pooled(
        _LargeReads(client=session, verify=tls(), trust_env=False),
        base_url=account.base_url,
        headers=_headers(account),
        # No limit on the wait for a connection: it would read as a gateway that cannot be reached.
        timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, pool=None),
        follow_redirects=False,
        trust_env=False,
    )


class _LargeReads(AiohttpTransport):
    """Takes what has come, up to READ bytes; by itself it takes 16 KiB, so an output by the thousands."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, AiohttpResponseStream)
        response.stream.CHUNK_SIZE = READ
        return response


def fresh_client(account: Account, timeouts: Timeouts) -> httpx.AsyncClient:
    """The client for creates: a new connection for each, so that "not connected" means "not sent"."""
    return httpx.AsyncClient(
        verify=tls(),
        base_url=account.base_url,
        headers=_headers(account),
        timeout=httpx.Timeout(timeouts.total_create, connect=timeouts.connect),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        follow_redirects=False,
        trust_env=False,
    )


def _headers(account: Account) -> dict[str, str]:
    # Compressed answers are not asked for, so that no small answer can unpack into a huge one.
    return {
        "Authorization": f"Bearer {account.api_key.get_secret_value()}",
        "Accept-Encoding": "identity",
        "User-Agent": "hybrid-job-orchestrator",
    }


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what an HTTP call raises into Unreachable or NoAnswer.

    The foreign exception is not chained: aiohttp's show the request headers, our key among them.
    """
    try:
        yield
    except TimeoutError:
        raise NoAnswer(f"{what}: no whole answer in time") from None
    except FOREIGN as exc:
        raise _ours(what, exc) from None


def _ours(what: str, exc: Exception) -> GatewayError:
    if isinstance(exc, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.ConnectError):
        return Unreachable(f"{what}: cannot connect ({describe(exc)})")
    if isinstance(exc.__cause__, _NEVER_CONNECTED):
        return Unreachable(f"{what}: cannot connect ({describe(exc)})")
    return NoAnswer(f"{what}: cut off ({describe(exc)})")


def describe(exc: BaseException) -> str:
    """The kind of an exception and its first words."""
    words = str(exc)[:200]
    return f"{type(exc).__name__}: {words}" if words else type(exc).__name__


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: header names in lower case, the body capped and without our key."""

    status: int
    headers: dict[str, str]
    body: bytes


async def read_whole(response: httpx.Response, account: Account, limit: int = ANSWER_LIMIT) -> Answer:
    """Read an answer to its end. Raises BadAnswer when it is compressed or longer than `limit` bytes.

    Whoever answers has seen our key and may echo it: it is blotted out before anybody reads the body.
    """
    headers = dict(response.headers.items())
    _refuse_compressed(response.status_code, headers)
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > limit:
            raise BadAnswer(
                f"the answer is longer than {limit} bytes",
                status=response.status_code,
                reason="too_long",
            )
    return Answer(response.status_code, headers, without_key(bytes(body), account))


def json_object(answer: Answer) -> Mapping[str, Any]:
    """The object that an answer is. Raises BadAnswer for anything else."""
    try:
        data = reading.decode(answer.body)
    except reading.Unreadable:
        data = None
    if not isinstance(data, dict):
        raise BadAnswer("the answer is not a JSON object", status=answer.status, reason="not_json")
    return data


def without_key(body: bytes, account: Account) -> bytes:
    """The body with our key blotted out."""
    return body.replace(account.api_key.get_secret_value().encode(), b"***")


def _refuse_compressed(status: int, headers: Mapping[str, str]) -> None:
    if compressed(headers):
        raise BadAnswer(
            "the answer is compressed although plain bytes were asked for",
            hint="something between us and the gateway changes answers",
            status=status,
            reason="compressed",
        )


def compressed(headers: Mapping[str, str]) -> bool:
    """Whether the body is encoded in any way. Names are in lower case."""
    return headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")
