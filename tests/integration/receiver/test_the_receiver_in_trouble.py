"""Bodies that drip, sweeps that stopped, and a database that is away."""

import asyncio
import json
import socket
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url
from starlette.applications import Starlette

from orchestrator import wiring
from orchestrator.engine.alarms import BEHIND_AFTER, PULSE_IS_LATE
from orchestrator.settings import load
from orchestrator.store import schema, workers
from orchestrator.store.database import Store
from orchestrator.store.workers import Pulse
from orchestrator.web import receiver
from orchestrator.web.receiver import make_receiver
from tests.integration.receiver.door import Door, example
from tests.patience import LONG
from tests.sandbox.harness import until
from tests.servers.fixtures import NewDatabase
from tests.servers.postgres import Databases


def head(door: Door, length: int) -> bytes:
    named = door.delivery(example("video.completed")).headers | {
        "host": "here",
        "content-length": str(length),
    }
    lines = [f"{name}: {value}" for name, value in named.items()]
    return "\r\n".join(["POST /webhooks/gateway/default HTTP/1.1", *lines, "", ""]).encode()


def test_a_body_that_drips_is_answered_408_and_hung_up_on(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "BODY_WITHIN", 0.3)
    door.knows()
    body = json.dumps(example("video.completed")).encode()
    answer = b""
    with socket.create_connection(("127.0.0.1", door.port), timeout=0.02) as connection:
        connection.sendall(head(door, len(body)))
        for place in range(200):  # never silent, and four seconds for the whole
            connection.sendall(body[place : place + 1])
            try:
                answer = connection.recv(65_536)
                break
            except TimeoutError:
                continue
        connection.settimeout(LONG)
        while part := connection.recv(65_536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()
    assert b'"code": "too_slow"' in answer
    assert (door.inbox, door.ring, door.job().webhooks) == ([], [], 0)


def test_ready_before_the_first_sweep_and_while_sweeps_come(door: Door) -> None:
    assert door.http.get("/readyz").status_code == 200
    pulse(door)
    door.engine.later(PULSE_IS_LATE)
    assert door.http.get("/readyz").json()["status"] == "ready"


def test_it_says_that_nobody_sweeps_and_takes_webhooks_all_the_same(door: Door) -> None:
    pulse(door)
    door.engine.later(PULSE_IS_LATE + 1)
    answer = door.http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    (alarm,) = [one for one in answer.json()["alarms"] if one["name"] == "no_sweep"]
    assert "11 s" in alarm["detail"]
    assert alarm["about"] is None
    pulse(door)
    assert "no_sweep" not in door.http.get("/readyz").text


def test_it_says_which_work_nobody_takes(door: Door) -> None:
    door.knows(due_at=door.engine.now)
    door.engine.later(BEHIND_AFTER + 1)
    pulse(door)
    (alarm,) = door.http.get("/readyz").json()["alarms"]
    assert (alarm["name"], alarm["about"]) == ("behind", "look")


def pulse(door: Door) -> None:
    with door.engine.store.write() as tx:
        workers.pulse(tx, Pulse.SWEEP)


def test_it_is_not_ready_while_another_program_holds_the_file(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "READY_WITHIN", 0.3)
    with closing(sqlite3.connect(door.engine.folder.parent / "orchestrator.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert door.http.get("/readyz").status_code == 503
        other.rollback()
    until(lambda: door.http.get("/readyz").status_code == 200)


def test_it_is_not_ready_on_a_database_that_takes_no_writes(
    new_database: NewDatabase, postgres: Databases, tmp_path: Path
) -> None:
    url = new_database()
    with closing(Store(url)) as store:
        context = wiring.build(load({}, output_dir=tmp_path), store, asks_gateway=False)
        app = make_receiver(context, lambda _: None, wiring.wall_clock, beat_expected=True)
        assert asyncio.run(readiness(app)) == 200
        with postgres.connect() as connection:  # as a standby is, for whoever connects from now on
            connection.execute(
                f'ALTER DATABASE "{make_url(url).database}" SET default_transaction_read_only = on'
            )
        store.engine.dispose()
        assert asyncio.run(readiness(app)) == 503
        context.close()


async def readiness(app: Starlette) -> int:
    """The status that a receiver answers to whoever asks whether it is ready, without a wire."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        return (await client.get("/readyz")).status_code


def test_to_prove_it_leaves_nothing_behind(door: Door) -> None:
    with door.engine.store.read() as tx:
        before = tx.execute(select(schema.workers)).all()
    assert door.http.get("/readyz").status_code == 200
    with door.engine.store.read() as tx:
        assert tx.execute(select(schema.workers)).all() == before


def test_however_often_it_is_asked_while_that_hangs_webhooks_are_taken(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.knows()
    over = threading.Event()
    monkeypatch.setattr(receiver, "READY_WITHIN", 0.3)
    monkeypatch.setattr(receiver, "prove_ready", lambda _: over.wait(20))
    with ThreadPoolExecutor(receiver.THREADS + 5) as askers:
        asked = [askers.submit(door.http.get, "/readyz") for _ in range(receiver.THREADS + 5)]
        assert {one.result().status_code for one in asked} == {503}
    assert door.post(example("video.completed")).status_code == 200
    over.set()


def test_what_is_wrong_with_the_database_is_for_the_log_and_not_for_the_public(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    door.knows()
    with door.engine.store.write() as tx:
        tx.connection.exec_driver_sql("ALTER TABLE pulses RENAME TO secret_pulses")
        tx.connection.exec_driver_sql("ALTER TABLE inbox RENAME TO secret_inbox")
    for answer in (door.http.get("/readyz"), door.post(example("video.completed"))):
        assert_says_no_more_than_that(answer)
    assert "no such table" in str([vars(record) for record in caplog.records])


def assert_says_no_more_than_that(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "table" not in answer.text
    assert "pulses" not in answer.text
