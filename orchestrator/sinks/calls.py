"""One HTTP call to somebody who may be slow, broken or hostile: what it answered, or in words why nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import aiohttp
import httpx

from orchestrator.errors import DestinationError
from orchestrator.sinks.network import AddressRefused, without_query

BODY_LIMIT = 16 * 1024  # bytes of an answer that are read
BODY_SECONDS = 2.0  # for what follows the headers of an answer
PREVIEW = 200  # characters of an answer that are shown
LONGEST_RETRY_AFTER = 86_400.0  # seconds

# What a call may raise: httpx's own, and what its aiohttp transport lets through.
_FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, aiohttp.ClientError, OSError)
_TRY_LATER = "look whether the receiver runs and can be reached from here; it is tried again"


@dataclass(slots=True)
class Answer:
    """What was answered: its status, its headers, and the beginning of its body."""

    status: int
    headers: httpx.Headers
    body: bytearray


async def post(
    client: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str], seconds: float
) -> Answer:
    """Post the body, and wait for the answer so many seconds at most, whatever it drips.

    The status decides. Once it is there, a body that is late, cut or wrong changes nothing: the receiver
    has said what it did, and calling it again would make it do that again. Raises DestinationError.
    """
    answer = None
    try:
        async with (
            asyncio.timeout(seconds),
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            answer = Answer(response.status_code, response.headers, bytearray())
            async with asyncio.timeout(BODY_SECONDS):
                await _read(response, answer.body)
    except _FOREIGN as error:  # TimeoutError is an OSError
        if answer is None:
            # Not chained: the foreign exception shows the request headers, the receiver's tokens among them.
            raise _no_answer(without_query(url), error, seconds) from None
    return answer


async def _read(response: httpx.Response, body: bytearray) -> None:
    async for part in response.aiter_raw():
        body += part[: BODY_LIMIT - len(body)]
        if len(body) == BODY_LIMIT:
            return


def _no_answer(where: str, error: Exception, seconds: float) -> DestinationError:
    why, hint = _words(_root(error), seconds)
    return DestinationError(f"cannot call {where}: {why}", hint=hint)


def _root(error: BaseException) -> BaseException:
    """What happened below what httpx and aiohttp made of it: they show a cut connection as a timeout."""
    below = error.__cause__ if isinstance(error, httpx.HTTPError) and error.__cause__ else error
    if isinstance(below, aiohttp.ClientConnectorCertificateError):
        return below.certificate_error
    return below.os_error if isinstance(below, aiohttp.ClientConnectorError) else below


def _words(error: BaseException, seconds: float) -> tuple[str, str]:
    """What happened and what to do. Foreign words stay out: they may repeat the URL and what is in it."""
    match error:
        case AddressRefused():
            # Worth another try: what a name resolves to changes, and is wrong for a while when DNS is.
            return str(error), "deliver to a public address, or name the network in the destination's `allow`"
        case ssl.SSLCertVerificationError():
            words = f"its certificate is not trusted: {error.verify_message}"
            return words, "give the receiver a certificate of a public authority, for the name in `url`"
        case ssl.SSLError():
            return f"no TLS connection ({error.reason or 'failed'})", "look whether the port speaks TLS"
        case socket.gaierror():
            return "its name cannot be resolved", "look whether the name in `url` is right; it is tried again"
        case TimeoutError():
            return f"no answer within {seconds:g} s", "answer first, then work; it is tried again"
        case aiohttp.ClientResponseError():
            return "its answer is not HTTP", "look whether `url` names the right port"
        case aiohttp.ServerDisconnectedError() | OSError(errno=errno.ECONNRESET | errno.EPIPE):
            return "it closed the connection before it answered", _TRY_LATER
        case OSError(errno=int(number)):
            return os.strerror(number).lower(), _TRY_LATER
    return f"the call failed ({type(error).__name__})", _TRY_LATER


def retry_after(answer: Answer, now: float) -> float:
    """For how many seconds it asks to be left alone, a day at most; 0 if it does not say so."""
    said = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,15}", said, re.ASCII):
        return min(float(said), LONGEST_RETRY_AFTER)
    with suppress(ValueError, LookupError, TypeError, OverflowError):  # whatever hostile dates raise
        moment = parsedate_to_datetime(said)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(aware.timestamp() - now, 0.0), LONGEST_RETRY_AFTER)
    return 0.0


def preview(answer: Answer, hidden: Iterable[str]) -> str | None:
    """The beginning of an answer, safe to print: one line, and nothing `hidden`, which may be echoed."""
    if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        return None
    letters = (one if one.isprintable() else " " for one in answer.body.decode(errors="replace"))
    text = " ".join("".join(letters).split())
    for secret in sorted(hidden, key=len, reverse=True):
        for spelling in (secret, secret.replace("/", "\\/")):  # as some write JSON
            text = text.replace(spelling, "***")
    return text[:PREVIEW] or None
