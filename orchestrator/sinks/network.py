"""Which places may be called over HTTP, judged at the address that a socket is about to connect to.

A name is judged when it is connected to, never before: what it resolved to a moment ago says nothing about
now. So the client made here asks `refuse_address` in two places. The resolver leaves out what is refused,
which gives a plain error; the socket is refused to anything else, which nothing gets around: no literal, no
second answer, no address that is tried beside another one.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport

from orchestrator import __version__
from orchestrator.sinks.addresses import Network, refuse_address, spelled_address

USER_AGENT = f"hybrid-job-orchestrator/{__version__}"
HOST_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
LOOPBACKS = ("127.0.0.1", "::1")
UNSENT_SECONDS = 30  # for which the system goes on with what nobody reads, after a call is over


class AddressRefused(OSError):
    """An address that may not be connected to. An OSError, since that is what a socket may raise."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address} is {why}")


def check_url(url: str, allow: Sequence[Network] = (), *, allow_http: bool = False) -> str:
    """The URL as it is to be called: without a fragment, an address in its usual spelling.

    Raises ValueError in words that do not repeat the URL. Names are not resolved here.
    """
    try:
        parsed = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError):
        raise ValueError("is not a URL") from None
    if parsed.scheme != "https" and not (allow_http and parsed.scheme == "http"):
        raise ValueError("is not an http URL" if allow_http else "must begin with https://")
    if parsed.userinfo:
        raise ValueError("has a user or password in it: use a header, URLs are written to logs")
    if parsed.port is not None and not 1 <= parsed.port <= 65535:
        raise ValueError("has no port that can be called")
    host = _host(parsed.raw_host.decode("ascii"), allow)
    return str(parsed.copy_with(host=host, raw_path=parsed.raw_path, fragment=None))


def without_query(url: str) -> str:
    """The URL for people to see: tokens are often in what follows the question mark."""
    return str(httpx.URL(url).copy_with(query=None))


def _host(host: str, allow: Sequence[Network]) -> str:
    """The host as it is to be called. Raises ValueError."""
    name = host.removesuffix(".")
    if not name:
        raise ValueError("names no host")
    address = spelled_address(name)
    if address is not None:
        why = refuse_address(address, allow)
        if why is not None:
            raise ValueError(f"leads to {why}; `allow` can name its network")
        return address
    if not HOST_LETTERS.issuperset(name):
        raise ValueError("has a host with letters that no host has")
    if name.rpartition(".")[2] == "localhost" and all(refuse_address(one, allow) for one in LOOPBACKS):
        raise ValueError("leads to this machine; `allow` can name its network")
    return host


def guarded_client(
    allow: Sequence[Network] = (),
    *,
    resolver: AbstractResolver | None = None,
    tls: ssl.SSLContext | None = None,
) -> httpx.AsyncClient:
    """A client that connects to public addresses and those in `allow`, and belongs to one destination.

    It follows no redirect, keeps no cookie, and trusts no environment: a proxy would connect in our place.
    Each call has a connection of its own: a kept one may be stale, which looks like the receiver's failure,
    and its address was judged for an earlier call. The call brings its deadline.
    """
    context = tls or default_tls()

    def session() -> aiohttp.ClientSession:  # on the event loop, as aiohttp wants it
        connector = aiohttp.TCPConnector(
            resolver=_JudgingResolver(resolver or aiohttp.ThreadedResolver(), allow),
            socket_factory=lambda info: judged_socket(info, allow),
            use_dns_cache=False,
            ssl=context,
            force_close=True,
            limit=0,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return httpx.AsyncClient(
        transport=AiohttpTransport(client=session, verify=context, trust_env=False),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        # Compressed answers are not asked for, so that no small answer can unpack into a huge one.
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Connection": "close"},
        timeout=httpx.Timeout(None),
        follow_redirects=False,
        trust_env=False,
    )


@cache
def default_tls() -> ssl.SSLContext:
    """The one TLS context, which verifies: reading the certificates takes 25 to 50 ms."""
    return httpx.create_ssl_context(trust_env=False)


class _JudgingResolver(AbstractResolver):
    """Leaves out of each answer what may not be connected to, and says why when nothing is left."""

    def __init__(self, asked: AbstractResolver, allow: Sequence[Network]) -> None:
        self._asked = asked
        self._allow = allow

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._asked.resolve(host, port, family)
        fit = [one for one in found if refuse_address(one["host"], self._allow) is None]
        if found and not fit:
            refused = found[0]["host"]
            raise AddressRefused(refused, refuse_address(refused, self._allow) or "")
        return fit

    async def close(self) -> None:
        await self._asked.close()


def judged_socket(info: aiohttp.AddrInfoType, allow: Sequence[Network]) -> socket.socket:
    """A socket for this address. Raises AddressRefused, for which no connection is tried."""
    family, kind, protocol, _, address = info
    why = refuse_address(str(address[0]), allow)
    if why is not None:
        raise AddressRefused(str(address[0]), why)
    made = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; else whoever reads nothing holds our socket for hours
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNSENT_SECONDS * 1000)
    return made
