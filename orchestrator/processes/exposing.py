"""What each process tells whoever watches it, at an address of its own that no stranger should reach."""

from __future__ import annotations

import errno
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from orchestrator import __version__, metrics, wiring
from orchestrator.errors import SettingError
from orchestrator.metrics import Rows
from orchestrator.settings import Settings, ports_of

HANGS_UP_AFTER = 10.0  # seconds in which a request must come
READY_WITHIN = 5.0  # seconds: whoever asks waits for a database that hangs no longer than that
PATHS = ("/metrics", "/healthz", "/readyz")

Reasons = Callable[[], Sequence[str]]


def nothing_lacks() -> Sequence[str]:
    """A process that has nothing to say about itself but that it runs."""
    return ()


class Exposed:
    """The numbers of this process. `lacking` says why it could not do its work now."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.lacking: Reasons = nothing_lacks
        self.url: str | None = None
        self._asking: Future[list[str]] | None = None
        self._lock = threading.Lock()
        self._numbers = make_wsgi_app(metrics.REGISTRY, disable_compression=True)

    @property
    def told(self) -> dict[str, Any]:
        """Where that is, for the log."""
        return {"metrics_url": self.url} if self.url else {}

    def answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """One request."""
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            told: Iterable[bytes] = self._numbers(environ, start)
            return told
        if path not in PATHS:
            return _json(start, "404 Not Found", {"paths": PATHS})
        reasons = self._reasons() if path == "/readyz" else []
        if reasons:
            return _json(start, "503 Service Unavailable", {"status": "not ready", "reasons": reasons})
        return _json(start, "200 OK", {"status": "ready" if path == "/readyz" else "ok"})

    def _reasons(self) -> list[str]:
        """Asked by one thread at a time, however many want to know: each would hang with the database."""
        with self._lock:
            if self._asking is None or self._asking.done():
                self._asking = Future()
                threading.Thread(target=self._ask, args=(self._asking,), name="ready", daemon=True).start()
            asking = self._asking
        try:
            return asking.result(READY_WITHIN)
        except TimeoutError:
            return [f"what it needs did not answer within {READY_WITHIN:.0f} s"]

    def _ask(self, asking: Future[list[str]]) -> None:
        try:
            asking.set_result(list(self.lacking()))
        except Exception as error:  # noqa: BLE001 - a bug of ours: whoever asks is told, and asks again
            asking.set_result([f"this could not be found out ({type(error).__name__})"])


@contextmanager
def exposing(settings: Settings, role: str) -> Iterator[Exposed]:
    """Answer at the address of the settings, if there is one. Raises SettingError where it is taken.

    To be entered first of all: a process that waits for its database tells that it lives.
    """
    exposed = Exposed(Rows(wiring.monotonic))
    if settings.metrics_address is None:
        yield exposed
        return
    metrics.identify(__version__, role)
    metrics.REGISTRY.register(exposed.rows)
    try:
        with _served(exposed, settings.metrics_address):
            yield exposed
    finally:
        metrics.REGISTRY.unregister(exposed.rows)


@contextmanager
def _served(exposed: Exposed, address: str) -> Iterator[None]:
    server = _bound(address)
    server.set_app(exposed.answer)
    host, port = server.server_address[:2]
    exposed.url = f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(HANGS_UP_AFTER)


def _bound(address: str) -> _Server:
    host, ports = ports_of(address)
    kind = _Server6 if ":" in host else _Server
    for port in ports:
        try:
            return kind((host, port), _Handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port == ports[-1]:
                raise SettingError(
                    f"cannot tell metrics at {address}: {error.strerror or error}",
                    hint="set ORCHESTRATOR_METRICS_ADDRESS to a free port, or to a range of them",
                ) from error
    raise AssertionError("there is at least one port")  # the settings made sure


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True

    def server_bind(self) -> None:
        """Without asking the network for our own name, as the base class does."""
        if self.allow_reuse_address:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = HANGS_UP_AFTER

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: it would be a line every few seconds, and none of ours."""


def _json(start: Callable[..., Any], status: str, body: dict[str, Any]) -> list[bytes]:
    start(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(body).encode()]
