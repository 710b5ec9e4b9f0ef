"""The WebSocket, for the one thing that only it and webhooks tell: the session id (gateway contract 6)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from orchestrator.core.drift import Notice, ignored
from orchestrator.core.job import Observation
from orchestrator.errors import BadAnswer, NoAnswer, Unreachable
from orchestrator.gateway import connection, drift, reading, vocabulary
from orchestrator.gateway.account import Account
from orchestrator.gateway.connection import Timeouts
from orchestrator.gateway.error_answers import explain

FRAME_LIMIT = 1024 * 1024  # bytes; a snapshot takes a few thousand
SLOWEST_TICKS = 10_000  # ms, the longest interval: only the first frame is read
_CLOSING = 1.0

# The library writes request headers, our key among them, to its log at level DEBUG.
_quiet = logging.getLogger("orchestrator.gateway.websocket")
_quiet.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The stored state of a job, and the session id that its create was sent with."""

    session_id: str | None
    observation: Observation


class _NeverElsewhere(connect):
    """A connection that follows no redirect."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def read_snapshot(
    account: Account, gateway_id: str, timeouts: Timeouts, notice: Notice = ignored
) -> Snapshot:
    """Open the WebSocket of one job, read its first snapshot, and leave. Raises GatewayError."""
    what = f"the WebSocket of {gateway_id}"
    with _translated(what, account):
        async with asyncio.timeout(timeouts.snapshot), _opened(account, gateway_id, what) as socket:
            return await _first_snapshot(socket, what, notice)


@asynccontextmanager
async def _opened(account: Account, gateway_id: str, what: str) -> AsyncIterator[ClientConnection]:
    try:
        socket = await _NeverElsewhere(
            _address(account, gateway_id),
            additional_headers={"Authorization": f"Bearer {account.api_key.get_secret_value()}"},
            ssl=_tls(account),
            compression=None,
            proxy=None,
            open_timeout=None,
            close_timeout=_CLOSING,
            ping_interval=None,
            max_size=FRAME_LIMIT,
            logger=_quiet,
        )
    except OSError as exc:
        raise Unreachable(f"{what}: cannot connect ({connection.describe(exc)})") from exc
    async with socket:
        yield socket


def _address(account: Account, gateway_id: str) -> str:
    base = account.base_url.rstrip("/").removeprefix("http")  # leaves `://…` or `s://…`
    return f"ws{base}/async/video/{gateway_id}/ws?interval_ms={SLOWEST_TICKS}"


def _tls(account: Account) -> ssl.SSLContext | None:
    return connection.tls() if account.base_url.startswith("https") else None


async def _first_snapshot(socket: ClientConnection, what: str, notice: Notice) -> Snapshot:
    async for frame in socket:
        data = _snapshot_data(frame)
        if data is not None:
            session_id = reading.word(data.get("session_id"), reading.SESSION_ID)
            seen = vocabulary.from_list(data)
            notice(drift.of_snapshot(data), seen.request_id)
            return Snapshot(session_id, seen)
    raise BadAnswer(f"{what} closed without a snapshot", reason="no_snapshot")


def _snapshot_data(frame: str | bytes) -> dict[str, object] | None:
    try:
        message = reading.decode(frame.encode(errors="replace") if isinstance(frame, str) else frame)
    except reading.Unreadable:
        return None
    data = reading.mapping(message).get("data")
    named = reading.mapping(message).get("type") == "job.snapshot"
    return data if named and isinstance(data, dict) else None


@contextmanager
def _translated(what: str, account: Account) -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise NoAnswer(f"{what}: no snapshot in time") from exc
    except InvalidStatus as exc:
        answer = exc.response
        headers = {name.lower(): value for name, value in answer.headers.raw_items()}
        body = connection.without_key(bytes(answer.body or b""), account)
        raise explain(answer.status_code, headers, body).as_error() from exc
    except (WebSocketException, OSError) as exc:
        raise NoAnswer(f"{what}: cut off ({connection.describe(exc)})") from exc
