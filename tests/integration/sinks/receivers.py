"""Receivers of signed calls on loopback, and sinks that call them."""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from standardwebhooks import Webhook, WebhookVerificationError

from orchestrator.engine.http_loop import HttpLoop
from orchestrator.sinks.base import Parcel, Tools
from orchestrator.sinks.webhook import WebhookSink
from orchestrator.sinks.webhook_options import WebhookOptions
from tests.integration.gateway.servers import Request, Script, Server, Wire, serving
from tests.patience import LONG

T = TypeVar("T")


def secret(letter: str) -> str:
    return "whsec_" + base64.b64encode(letter.encode() * 32).decode()


NEW, OLD, FOREIGN = secret("n"), secret("o"), secret("f")
TOLD: dict[str, Any] = {
    "secrets": [NEW, OLD],
    "allow": ["127.0.0.0/8"],
    "allow_http": True,
    "timeout_seconds": 30,  # no test but those about time depends on it
}
PARCEL = Parcel("job_1-completed", "application/json", "job.completed", 1_780_000_000.25)
DOCUMENT = b'{"job": "job_1", "ratio": 1.10}'


def options(url: str, **told: Any) -> WebhookOptions:
    return WebhookOptions.model_validate(TOLD | {"url": url} | told)


@contextmanager
def tools(wall_clock: Callable[[], float] = time.time) -> Iterator[Tools]:
    """An event loop in a thread, on which nothing takes longer than our patience."""
    loop = HttpLoop()

    def run(coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return loop.run(asyncio.wait_for(coroutine, LONG))
        finally:
            coroutine.close()  # which a loop that is stopped has not begun

    try:
        yield Tools(run, wall_clock)
    finally:
        loop.stop()


@contextmanager
def served(
    by: Tools, script: Script, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """A server on the loop of these tools, serving every connection with the script."""
    serving_it = serving(script, host, port, tls)
    yield by.run(serving_it.__aenter__())
    by.run(serving_it.__aexit__(None, None, None))


@contextmanager
def calling(script: Script, **told: Any) -> Iterator[tuple[WebhookSink, Server]]:
    """A sink, and the server that it calls."""
    with tools() as by, served(by, script) as server:
        url = f"http://127.0.0.1:{server.port}/hook?token=in-the-query"
        with made(by, url, **told) as sink:
            yield sink, server


@contextmanager
def made(by: Tools, url: str, **told: Any) -> Iterator[WebhookSink]:
    """A sink that calls this URL."""
    sink = WebhookSink.build(options(url, **told), by)
    try:
        yield sink
    finally:
        sink.close()


def publish(sink: WebhookSink, document: bytes = DOCUMENT, parcel: Parcel = PARCEL) -> Any:
    staging = sink.stage(parcel, 1)
    staging.write(document)
    return staging.publish()


def answering(status: int, body: bytes = b"", *headers: str) -> Script:
    """A receiver that gives this answer to everybody."""

    async def script(wire: Wire) -> None:
        await wire.request()
        await wire.answer(status, body, "text/plain", *headers)

    return script


class Receiver:
    """Does what a receiver should: verifies, and keeps the first of what has the same id."""

    def __init__(self, secret: str) -> None:
        self.kept: dict[str, bytes] = {}
        self._webhook = Webhook(secret)

    async def __call__(self, wire: Wire) -> None:
        request = await wire.request()
        if not signed_by(self._webhook, request):
            await wire.answer(401, b"who are you?")
            return
        self.kept.setdefault(request.headers["webhook-id"], request.body)
        await wire.answer(200, b"{}")


def signed_by(webhook: Webhook, request: Request) -> bool:
    try:
        found = webhook.verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return bool(found == json.loads(request.body))
