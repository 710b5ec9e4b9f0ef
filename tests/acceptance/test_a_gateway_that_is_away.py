"""The gateway cannot be reached for a while, or answers nothing but errors: everything finishes later."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.processes import free_port
from tests.acceptance.sandbox import HINT, Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import until


class Line:
    """The way to the sandbox, which can be cut: connections are then refused, and open ones end."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._target = urlsplit(sandbox.url)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/v1"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.mend()

    def mend(self) -> None:
        asyncio.run_coroutine_threadsafe(self._mend(), self._loop).result(5)

    def cut(self) -> None:
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(5)

    def end(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _mend(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self._port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            self._server = None

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._open |= {writer, there[1]}
        try:
            await asyncio.gather(self._copy(reader, there[1]), self._copy(there[0], writer))
        finally:
            self._open -= {writer, there[1]}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
def line(sandbox: Sandbox) -> Iterator[Line]:
    line = Line(sandbox)
    yield line
    line.end()


def test_an_unreachable_gateway_is_waited_for(begin: Begin, sandbox: Sandbox, line: Line) -> None:
    orchestrator = begin(sandbox, gateway_url=line.url)
    orchestrator.start()
    database = orchestrator.database
    # One of each: with a third, five failures in a row would stop all questions for a while.
    known = database.submit(wanted(updates=Updates.POLL, duration=0.3))
    for job in known:
        database.wait_for(job, "the gateway has it", lambda job: job.state is State.WAITING)
    line.cut()
    new = database.submit(wanted(duration=0.1))
    for job in known:
        database.wait_for(job, "two looks failed", lambda job: job.look_errors == 2)
    for job in new:
        refused = database.wait_for(job, "its create was tried", lambda job: job.state is State.ACCEPTED)
        assert refused.attempts == 1, "surely not sent: it is tried again, and is never uncertain"
    line.mend()
    database.wait([*known, *new])

    assert_delivered_once(orchestrator, sandbox, [*known, *new])
    assert {database.job(job).attempts for job in new} == {2}
    first, second = (_moment(event) for event in orchestrator.told("look_failed", 2, job=known[0])[:2])
    assert second - first >= 2 * HINT, "looks back off: after an error the wait is twice as long"


def _moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["at"]).timestamp()


def test_a_gateway_that_only_answers_500_is_waited_for(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    jobs = database.submit(*(wanted(updates=Updates.POLL, duration=0.2) for _ in range(2)))
    for job in jobs:
        database.wait_for(job, "the gateway has it", lambda job: job.state is State.WAITING)
    for fault in ({"down": "gets"}, {"down": "none", "drop": "gets"}):
        sandbox.faults(**fault)
        seen = len(orchestrator.events("look_failed"))
        until("a look of each failed", lambda seen=seen: len(orchestrator.events("look_failed")) >= seen + 2)  # type: ignore[misc]
    sandbox.heal()
    database.wait(jobs)
    assert_delivered_once(orchestrator, sandbox, jobs)
    assert {database.job(job).attempts for job in jobs} == {1}
