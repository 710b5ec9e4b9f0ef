"""What the API is measured against: bare Starlette that checks a key, validates, and does one statement.

Same server, same check of keys, same models, same pool of connections, as many threads. Run as a program,
with the settings in the environment, it prints its port.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from sqlalchemy import JSON, Column, Float, MetaData, String, Table, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from orchestrator import wiring
from orchestrator.core.access import Caller
from orchestrator.core.keys import Kind
from orchestrator.engine.access import Guard
from orchestrator.store.schema import jobs
from orchestrator.web.api.door import THREADS
from orchestrator.web.server import make_server
from orchestrator.wire.jobs import NewJob

TABLE = Table(
    "bare_jobs",
    MetaData(),
    Column("id", String(64), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("request", JSON, nullable=False),
    Column("accepted_at", Float, nullable=False),
)


class Bare:
    """Two routes."""

    def __init__(self) -> None:
        self._store = wiring.open_store(wiring.read_settings())
        self._guard = Guard(self._store, wiring.monotonic, wiring.chance)
        self._threads = ThreadPoolExecutor(THREADS)
        TABLE.create(self._store.engine, checkfirst=True)

    def app(self) -> Starlette:
        routes = [Route("/v1/jobs", self.submit, methods=["POST"]), Route("/v1/jobs/{job_id}", self.read)]
        return Starlette(routes=routes)

    async def submit(self, request: Request) -> Response:
        caller = await self._caller(request)
        job = NewJob.model_validate_json(await request.body())
        row = {"id": wiring.new_id(), "tenant_id": caller.tenant_id, "request": job.request}
        await self._run(partial(self._insert, row | {"accepted_at": wiring.wall_clock()}))
        return JSONResponse({"id": row["id"], "state": "accepted"}, status_code=201)

    async def read(self, request: Request) -> Response:
        caller = await self._caller(request)
        found = await self._run(partial(self._select, request.path_params["job_id"], caller.tenant_id))
        return Response(json.dumps(found, default=str), media_type="application/json")

    async def _caller(self, request: Request) -> Caller:
        shown = request.headers["authorization"].removeprefix("Bearer ")
        known = self._guard.known(shown, Kind.KEY)
        return known or await self._run(partial(self._guard.identify, shown, Kind.KEY))

    async def _run(self, act: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    def _insert(self, row: dict[str, Any]) -> None:
        with self._store.engine.begin() as connection:
            connection.execute(TABLE.insert().values(**row))

    def _select(self, job_id: str, tenant_id: str) -> dict[str, Any]:
        query = select(jobs).where(jobs.c.id == job_id, jobs.c.tenant_id == tenant_id)
        with self._store.engine.connect() as connection:
            return dict(connection.execute(query).one()._mapping)


def serve(app: ASGIApp) -> None:
    """By the server of ours, with its options, on a port that is printed."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sys.stdout.write(f"listening on {listening.getsockname()[1]}\n")
    sys.stdout.flush()
    make_server(app).run(sockets=[listening])


if __name__ == "__main__":
    serve(Bare().app())
