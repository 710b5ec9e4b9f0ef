"""One request as a stranger would send it, with everything that can go wrong on its way told apart."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

MOST = 65_536  # bytes of an answer that are read
_REPORTS_WITHIN = 0.5  # seconds: a step that takes too long says better what is wrong


class Way(StrEnum):
    """How far a request came that got no answer."""

    NAME = "name"  # the host name does not resolve
    CONNECTION = "connection"  # nobody took the connection
    TLS = "tls"  # what answers speaks no TLS
    CERTIFICATE = "certificate"  # it does, and its certificate is not believed
    ANSWER = "answer"  # it was sent, and cut off or not answered in time


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer came; `words` say why."""

    way: Way
    words: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and until when the certificate holds that it came under, in epoch seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    certificate_until: float | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object that it is, or an empty one."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def redirects(self) -> bool:
        """Whether it sends whoever asks somewhere else."""
        return 300 <= self.status < 400 and "location" in self.headers


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; no redirect is followed, and no proxy of the environment is used."""

    method: str
    url: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def ask(request: Request, within: float, tls: ssl.SSLContext) -> Answered | Unanswered:
    """Send it and read the answer, all of it in `within` seconds, even where bytes keep dripping in."""
    came: SimpleQueue[Answered | Unanswered] = SimpleQueue()
    # A daemon: asking for a name, and reading headers, have no limit of their own.
    threading.Thread(target=lambda: came.put(_asked(request, within, tls)), daemon=True).start()
    try:
        return came.get(timeout=within + _REPORTS_WITHIN)
    except Empty:
        return Unanswered(Way.ANSWER, f"no whole answer comes within {within:.0f} s")


def _asked(request: Request, within: float, tls: ssl.SSLContext) -> Answered | Unanswered:
    parts = urlsplit(request.url)
    host, port = parts.hostname or "", parts.port
    try:
        connection = (
            HTTPSConnection(host, port, timeout=within, context=tls)
            if parts.scheme == "https"
            else HTTPConnection(host, port, timeout=within)
        )
        with closing(connection):
            if (wrong := _connected(connection, host)) is not None:
                return wrong
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return _answer(connection, request, path)
    except (HTTPException, ValueError) as error:  # what no HTTP is, and what no host can be
        return Unanswered(Way.ANSWER, f"no HTTP comes from there: {str(error) or type(error).__name__}")


def _connected(connection: HTTPConnection, host: str) -> Unanswered | None:
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        return Unanswered(Way.CERTIFICATE, f"its certificate is not believed: {error.verify_message}")
    except ssl.SSLError as error:
        return Unanswered(
            Way.TLS, f"no TLS connection: {(error.reason or 'it ended').replace('_', ' ').lower()}"
        )
    except socket.gaierror as error:
        return Unanswered(Way.NAME, f"{host} does not resolve: {error.strerror}")
    except UnicodeError:
        return Unanswered(Way.NAME, f"{host} can be no host name")
    except OSError as error:
        return Unanswered(Way.CONNECTION, f"nobody takes the connection: {error.strerror or error}")
    return None


def _answer(connection: HTTPConnection, request: Request, path: str) -> Answered | Unanswered:
    until = _certificate_until(connection.sock)
    try:
        connection.request(request.method, path, request.body, request.headers)
        answer = connection.getresponse()
        body = answer.read(MOST)
    except OSError as error:
        return Unanswered(Way.ANSWER, f"no answer comes: {error.strerror or error}")
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Answered(answer.status, headers, body, until)


def _certificate_until(connected: Any) -> float | None:
    if not isinstance(connected, ssl.SSLSocket):
        return None
    until = (connected.getpeercert() or {}).get("notAfter")
    return float(ssl.cert_time_to_seconds(until)) if isinstance(until, str) else None
