"""Foreign exceptions mean what really happened, also where a library blurs it."""

import aiohttp
import httpx
import pytest

from orchestrator.errors import GatewayError, NoAnswer, Unreachable
from orchestrator.gateway.connection import translated


def caused(exc: Exception, cause: Exception) -> Exception:
    exc.__cause__ = cause
    return exc


@pytest.mark.parametrize(
    ("raised", "ours"),
    [
        (httpx.ConnectError("refused"), Unreachable),
        (httpx.UnsupportedProtocol("ftp"), Unreachable),
        # The aiohttp transport says ConnectTimeout for three different things.
        (caused(httpx.ConnectTimeout(""), aiohttp.ConnectionTimeoutError()), Unreachable),
        (caused(httpx.ConnectTimeout(""), aiohttp.ServerDisconnectedError()), NoAnswer),
        (caused(httpx.ConnectTimeout(""), aiohttp.ClientOSError(104, "reset")), NoAnswer),
        (httpx.ReadTimeout("slow"), NoAnswer),
        (httpx.ReadError("cut"), NoAnswer),
        (aiohttp.ClientPayloadError("short"), NoAnswer),
        (ConnectionResetError("reset"), NoAnswer),
        (TimeoutError(), NoAnswer),
    ],
    ids=repr,
)
def test_only_a_connection_never_made_is_unreachable(raised: Exception, ours: type[GatewayError]) -> None:
    with pytest.raises(GatewayError) as caught, translated("GET videos/G-1"):
        raise raised
    assert type(caught.value) is ours
    assert caught.value.whole_gateway == (ours is Unreachable)
    assert "GET videos/G-1" in caught.value.message


def test_our_own_mistakes_are_not_dressed_up() -> None:
    with pytest.raises(KeyError), translated("GET videos/G-1"):
        raise KeyError("oops")
