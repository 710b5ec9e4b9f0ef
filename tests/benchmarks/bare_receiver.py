"""What the receiver is measured against: bare Starlette that verifies, parses, and does one INSERT.

Same server, same check of signatures, same pool of connections, as many threads. Run as a program, with the
settings in the environment, it prints its port.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from sqlalchemy import Column, Float, LargeBinary, MetaData, String, Table
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orchestrator import wiring
from orchestrator.core.signatures import Verified, verify
from orchestrator.web.receiver import THREADS
from tests.benchmarks.bare_api import serve

TABLE = Table(
    "bare_hooks",
    MetaData(),
    Column("event_id", String(300), primary_key=True),
    Column("type", String(100), nullable=False),
    Column("gateway_id", String(128), nullable=False),
    Column("received_at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
)


class Bare:
    """One route."""

    def __init__(self) -> None:
        settings = wiring.read_settings()
        self._secrets = [secret.get_secret_value() for secret in settings.live_secrets]
        self._store = wiring.open_store(settings)
        self._threads = ThreadPoolExecutor(THREADS)
        TABLE.create(self._store.engine, checkfirst=True)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/webhooks/gateway/default", self.receive, methods=["POST"])])

    async def receive(self, request: Request) -> Response:
        body, now = await request.body(), wiring.wall_clock()
        if not isinstance(verify(request.headers, body, self._secrets, now=now), Verified):
            return Response(status_code=401)
        told = json.loads(body)
        row = {"event_id": told["id"], "type": told["type"], "gateway_id": told["data"]["id"]}
        keep = partial(self._insert, row | {"received_at": now, "body": body})
        await asyncio.get_running_loop().run_in_executor(self._threads, keep)
        return JSONResponse({"status": "stored"})

    def _insert(self, row: dict[str, Any]) -> None:
        with self._store.engine.begin() as connection:
            connection.execute(TABLE.insert().values(**row))


if __name__ == "__main__":
    serve(Bare().app())
