"""A receiver of signed calls as a user would write one: verifies, dedupes by id, and fails now and then."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError


class SignedCalls:
    """What came in, by its `webhook-id`. `refuse`: so many calls are answered 503 at first."""

    def __init__(self, secret: str) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.times: Counter[str] = Counter()
        self.traceparents: dict[str, str | None] = {}
        self.unbelieved: list[str] = []
        self.refuse = 0
        self._lock = threading.Lock()
        self._webhook = Webhook(secret)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, headers: dict[str, str], body: bytes) -> int:
        with self._lock:
            try:
                self._webhook.verify(body, headers)
            except WebhookVerificationError as error:
                self.unbelieved.append(str(error))
                return 401
            if self.refuse:
                self.refuse -= 1
                return 503
            self.times[headers["webhook-id"]] += 1
            self.traceparents[headers["webhook-id"]] = headers.get("traceparent")
            self.kept.setdefault(headers["webhook-id"], json.loads(body))
            return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(take({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        return Handler
