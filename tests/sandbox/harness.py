"""A sandbox in its own process, a webhook receiver, and what tests ask of both."""

import hashlib
import hmac
import json
import math
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.patience import LONG

ROOT = Path(__file__).parents[2]
KEY, MANAGEMENT_KEY = "phaseo_v1_sk_sandbox_localonly", "phaseo_v1_mk_sandbox_localonly"
Found = TypeVar("Found")
Start = Callable[..., str]
_RESPONSES = json.loads((ROOT / "tests/gateway/responses.json").read_text())["responses"]
EXAMPLES: list[dict[str, Any]] = json.loads((ROOT / "tests/gateway/webhook-examples.json").read_text())[
    "examples"
]


def captured(label: str, file: str | None = None) -> Any:
    """The body that the real gateway's code answered in that situation."""
    return next(row["body"] for row in _RESPONSES if row["label"] == label and file in (None, row["file"]))


def shape(value: Any) -> Any:
    """Only the field names of an answer, at every depth."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else None


def until(look: Callable[[], Found | None], seconds: float = LONG) -> Found:
    """The first true thing that a look sees."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def start(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "orchestrator.sandbox", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _client(base_url: str, key: str | None = None) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=base_url, headers=headers, timeout=LONG, verify=False)  # no TLS here at all


class Sandbox:
    """A running sandbox and clients for its three kinds of route."""

    def __init__(self, *options: str) -> None:
        self.process = start(*options)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("sandbox gateway listening on http://127.0.0.1:"), line
        self.url = line.split()[-1]
        self.root = self.url.removesuffix("/v1")
        self.api = _client(self.url, KEY)
        self.management = _client(self.url, MANAGEMENT_KEY)
        self.control = _client(self.root + "/_sandbox")
        self.anonymous = _client(self.url)

    def stop(self) -> str:
        """Stop it; what it wrote to stderr."""
        for client in (self.api, self.management, self.control, self.anonymous):
            client.close()
        self.process.terminate()
        return self.process.communicate(timeout=LONG)[1]

    def reset(self) -> None:
        self.api.cookies.clear()
        self.control.post("/reset").raise_for_status()

    def post(
        self, body: dict[str, Any] | None = None, session: str | None = None, **switches: Any
    ) -> httpx.Response:
        """A create with these body fields and switches, whatever comes of it."""
        asked: dict[str, Any] = {"model": "google/veo-3.1-lite", "prompt": "p", **(body or {})}
        asked["provider_params"] = {"sandbox": switches}
        return self.api.post("/videos", json=asked, headers={"x-session-id": session} if session else {})

    def create(self, body: dict[str, Any] | None = None, session: str | None = None, **switches: Any) -> str:
        """The id of a new job."""
        answer = self.post(body, session, **switches)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def done(self, body: dict[str, Any] | None = None, **switches: Any) -> str:
        """The id of a job that the provider has ended."""
        return self.create(body, **{"duration": 0, **switches})

    def get(self, job: str) -> dict[str, Any]:
        answer = self.api.get(f"/videos/{job}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def content(self, job: str, index: int | None = None) -> httpx.Response:
        return self.api.get(f"/videos/{job}/content", params={} if index is None else {"index": index})

    def faults(self, **switches: Any) -> None:
        self.control.put("/faults", json=switches).raise_for_status()

    def truth(self, **wanted: Any) -> list[dict[str, Any]]:
        return list(self.control.get("/jobs", params=wanted).json()["jobs"])

    def owed(self, **wanted: Any) -> list[dict[str, Any]]:
        return list(self.control.get("/webhooks", params=wanted).json()["webhooks"])

    def endpoint(self, url: str, *events: str) -> dict[str, Any]:
        """A registered endpoint, with its secret."""
        body = {"url": url} | ({"events": list(events)} if events else {})
        answer = self.management.post("/webhook-endpoints", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


@dataclass(frozen=True)
class Hook:
    """A received webhook."""

    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]
    at: float


def signature_holds(hook: Hook, secret: str, family: str = "x-phaseo") -> bool:
    """Whether a webhook is signed with a secret, reckoned anew."""
    message = hook.headers[f"{family}-timestamp"].encode() + b"." + hook.raw
    right = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return hook.headers[f"{family}-signature"] == right


def next_tick(at: float, speed: float) -> float:
    """The first cron tick at or after a wall time, of a sandbox that is so many times as fast."""
    period = 300.0 / speed
    return math.ceil(at / period) * period


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who is hung up on in the middle of an answer is no news: a receiver that stops does so."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Receiver:
    """A webhook receiver on loopback: remembers what came, answers what it is told to (200 otherwise)."""

    def __init__(self) -> None:
        self.hooks: list[Hook] = []
        self.answers: list[tuple[int, str]] = []
        self.connections: list[socket.socket] = []
        self.hold = threading.Event()
        self.hold.set()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def stop(self) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self.connections:  # no idle one may outlive the test
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def of(self, event: str) -> list[Hook]:
        return [hook for hook in list(self.hooks) if hook.body["type"] == event]

    def wait(self, count: int = 1, event: str | None = None) -> list[Hook]:
        """The received webhooks, once there are so many."""

        def enough() -> list[Hook] | None:
            found = self.of(event) if event else list(self.hooks)
            return found if len(found) >= count else None

        return until(enough)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            receiver.connections.append(self.connection)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.hooks.append(Hook(headers, raw, json.loads(raw), time.time()))
            status, text = receiver.answers.pop(0) if receiver.answers else (200, "")
            receiver.hold.wait(LONG)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", receiver.url)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
