"""What stands between the gateway and us: a receiver of ours on a socket, and proxies in front of it."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from orchestrator import wiring
from orchestrator.engine.accounts import Accounts, WebhookSecrets
from orchestrator.settings import Settings
from orchestrator.store import inbox
from orchestrator.store.database import Store
from orchestrator.web.receiver import make_receiver
from tests.certificates import serving_with
from tests.integration.gateway.servers import Request, Script, Wire
from tests.integration.sinks.receivers import served, tools
from tests.patience import LONG
from tests.sandbox.harness import until

Headers = dict[str, str]
# Those that the gateway sends, and a proxy passes on.
PASSED = ("content-type", "x-phaseo-timestamp", "x-phaseo-signature", "x-forwarded-proto")


class Receiving:
    """A receiver of ours over a database. What is changed about accounts it sees at once."""

    def __init__(self, settings: Settings, *, trusting: bool = True) -> None:
        self.store = Store(settings.resolved_database_url)
        self.context = wiring.build(settings, self.store, asks_gateway=False)
        hours = itertools.count(step=3600.0)
        known = Accounts(self.store, wiring.opener(settings), lambda: next(hours))
        self.context.webhook_secrets = WebhookSecrets(known, time.time)
        app: Any = make_receiver(self.context, lambda _: None, time.time, beat_expected=False)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        believed = ProxyHeadersMiddleware(app, ["127.0.0.1"]) if trusting else app
        config = uvicorn.Config(
            believed, log_config=None, lifespan="off", proxy_headers=False, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        until(lambda: self._server.started)
        self.url = f"http://127.0.0.1:{self.port}"

    def kept(self) -> tuple[int, list[str]]:
        """How many deliveries are in the inbox, and why others were rejected."""
        with self.store.read() as tx:
            ring = inbox.recent_rejections(tx, limit=100)
            return len(inbox.recent(tx, limit=100)), [one.reason for one in ring]

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self.context.close()
        self.store.close()


def passing(
    port: int, *, headers: Callable[[Headers], Headers] = dict, body: Callable[[bytes], bytes] = bytes
) -> Script:
    """A proxy that takes TLS off and passes on what it is sent, changed by these."""

    def ask(request: Request) -> tuple[int, bytes, str]:
        method, path, _ = request.line.split()
        kept = {name: value for name, value in request.headers.items() if name in PASSED}
        with closing(HTTPConnection("127.0.0.1", port, timeout=LONG)) as connection:
            connection.request(method, path, body(request.body), headers(kept))
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers["content-type"]

    async def script(wire: Wire) -> None:
        await wire.answer(*await asyncio.to_thread(ask, await wire.request()))

    return script


def answering(status: int, body: bytes = b"", content_type: str = "text/html", *more: str) -> Script:
    """Something else than a receiver."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.answer(status, body, content_type, *more)

    return script


def https(headers: Headers) -> Headers:
    """What a proxy adds that took TLS off."""
    return headers | {"x-forwarded-proto": "https"}


@contextmanager
def in_front(script: Script, certificate: Path | None = None) -> Iterator[str]:
    """The base URL of such a thing."""
    tls = serving_with(certificate) if certificate else None
    with tools() as by, served(by, script, tls=tls) as server:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.port}"
