"""A server that answers what a test tells it to, over real HTTP, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """One answer. With `cut`, the connection is closed so many bytes before the body's promised end."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0


Say = Answer | Callable[[Asked], Answer]


def as_json(document: Any, status: int = 200, **headers: str) -> Answer:
    kind = "application/problem+json" if status >= 400 else "application/json"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(json.dumps(document).encode(), status, {"content-type": kind, **named})


def problem(status: int, code: str, detail: str = "it is so", **more: Any) -> Answer:
    headers = more.pop("headers", {})
    return as_json({"status": status, "code": code, "detail": detail, **more}, status, **headers)


def stream(*messages: str, cut: int = 0) -> Answer:
    """Messages of `text/event-stream`; with `cut` the connection breaks instead of ending."""
    return Answer("".join(messages).encode(), headers={"content-type": "text/event-stream"}, cut=cut)


class ScriptedServer:
    """Gives the answers of `script` one after another; the last one is given again and again."""

    def __init__(self) -> None:
        self.script: list[Say] = []
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        said = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return said if isinstance(said, Answer) else said(asked)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5  # so that no connection that a client keeps open holds up the end

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = scripted.take(Asked(self.command, parts.path, parse_qs(parts.query), headers, body))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body) + answer.cut))
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = self.close_connection or bool(answer.cut)

            do_GET = do_POST = do_DELETE = _take  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler
