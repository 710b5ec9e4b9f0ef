"""`check --alive`, for supervisors that ask from outside, and `check` of what several processes need."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator import wiring
from orchestrator.cli.exits import Exit
from orchestrator.cli.processes_checks import HEALTHY
from orchestrator.store import workers
from orchestrator.store.database import Store
from orchestrator.store.workers import Pulse
from orchestrator.web.receiver import make_receiver
from tests.integration.cli.conftest import Rows, Run
from tests.servers.fixtures import NewDatabase
from tests.servers.redis import Redis, RedisServer


@pytest.fixture
def store(new_database: NewDatabase, redis_server: Redis, run: Run, monkeypatch: Any) -> Iterator[Store]:
    """A PostgreSQL of several processes, which the settings name together with a broker."""
    url = new_database()
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", url)
    monkeypatch.setenv("ORCHESTRATOR_BROKER_URL", redis_server.url)
    opened = Store(url)
    yield opened
    opened.close()


def finding(run: Run, *arguments: str) -> dict[str, Any]:
    (found,) = json.loads(run("check", *arguments, "--json").out)
    return dict(found)


@contextmanager
def answering(status: int, body: bytes = HEALTHY) -> Iterator[int]:
    """Something that listens on a port and gives every question this answer."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_worker_of_this_machine_that_beats_is_alive(run: Run, store: Store) -> None:
    host, _ = wiring.whoami()
    with store.write() as tx:
        workers.join(tx, "worker_1", host=host, pid=4711)
    assert run("check", "--alive", "worker").code == Exit.OK
    assert finding(run, "--alive", "worker")["found"] == f"beats on {host}: process 4711"


def test_a_worker_of_another_machine_is_not_this_one(run: Run, store: Store) -> None:
    with store.write() as tx:
        workers.join(tx, "worker_1", host="elsewhere", pid=4711)
    said = run("check", "--alive", "worker")
    assert said.code == Exit.OTHERWISE
    assert "none beats on" in said.out
    assert "orchestrator worker" in said.out


def test_a_worker_that_left_is_not_alive(run: Run, store: Store) -> None:
    with store.write() as tx:
        workers.join(tx, "worker_1", host=wiring.whoami()[0], pid=4711)
    with store.write() as tx:
        workers.leave(tx, "worker_1")
    assert run("check", "--alive", "worker").code == Exit.OTHERWISE


def test_a_beat_whose_message_arrived_is_alive_and_a_sweep_of_others_says_nothing(
    run: Run, store: Store
) -> None:
    with store.write() as tx:
        workers.pulse(tx, Pulse.SWEEP)
    assert finding(run, "--alive", "beat")["found"] == "no message of beat's arrived ever"
    assert run("check", "--alive", "beat").code == Exit.OTHERWISE
    with store.write() as tx:
        workers.pulse(tx, Pulse.BEAT)
    assert run("check", "--alive", "beat").code == Exit.OK


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_receiver_that_answers_is_alive(run: Run, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with answering(200) as port:
        monkeypatch.setenv("ORCHESTRATOR_HOST", host)
        monkeypatch.setenv("ORCHESTRATOR_PORT", str(port))
        assert run("check", "--alive", "web").code == Exit.OK


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [(404, b"", "answers with 404"), (200, b"<html>", "answers as no receiver does")],
)
def test_something_else_on_the_port_is_not_the_receiver(
    run: Run, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, words: str
) -> None:
    with answering(status, body) as port:
        monkeypatch.setenv("ORCHESTRATOR_PORT", str(port))
        assert finding(run, "--alive", "web")["found"] == f"127.0.0.1:{port} {words}"
        assert run("check", "--alive", "web").code == Exit.OTHERWISE


def test_our_receiver_says_what_is_looked_for(rows: Rows) -> None:
    receiver = make_receiver(rows.context, lambda _: None, lambda: 0.0, beat_expected=True)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(receiver), base_url="http://x") as client:
            return await client.get("/healthz")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.content) == (200, HEALTHY)


def test_a_receiver_that_is_not_there_is_not_alive(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:  # taken, and nobody listens
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ORCHESTRATOR_PORT", str(bound.getsockname()[1]))
        assert "does not answer" in finding(run, "--alive", "web")["found"]


@pytest.mark.parametrize("process", ["worker", "beat"])
def test_a_database_that_is_away_is_said_to_be_and_its_password_is_not(
    run: Run, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:9/x")
    said = run("check", "--alive", process)
    assert said.code == Exit.OTHERWISE
    assert "start PostgreSQL" in said.out
    assert "hunter2" not in said.out + said.err


@pytest.mark.parametrize("process", ["worker", "beat"])
def test_asking_makes_no_database(run: Run, folder: Path, process: str) -> None:
    assert run("check", "--alive", process).code == Exit.OTHERWISE
    assert not list(folder.iterdir())


def test_settings_that_cannot_be_read_are_named_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BROKER_URL", "amqp://host")
    assert finding(run, "--alive", "beat")["what"] == "settings"


def test_the_broker_is_checked_where_there_is_one(run: Run, store: Store) -> None:
    found = {one["what"]: one for one in json.loads(run("check", "--json").out)}
    assert found["broker"] == {"status": "ok", "what": "broker", "found": "Redis answers", "hint": ""}
    assert found["database"]["status"] == "ok"


def test_a_broker_that_is_away_or_evicts_messages_is_named(
    run: Run, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BROKER_URL", own_redis.url)

    def broker() -> dict[str, Any]:
        return next(one for one in json.loads(run("check", "--json").out) if one["what"] == "broker")

    with own_redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    assert broker()["status"] == "warn"
    assert "allkeys-lru" in broker()["found"]
    own_redis.kill()
    assert broker()["status"] == "fail"


def port_of_check(run: Run) -> dict[str, Any]:
    return next(one for one in json.loads(run("check", "--json").out) if one["what"] == "port")


def test_a_port_that_our_own_receiver_has_is_all_right(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(200) as port:
        monkeypatch.setenv("ORCHESTRATOR_PORT", str(port))
        found = f"127.0.0.1:{port} is taken by `orchestrator web`, which answers"
        assert port_of_check(run) == {"status": "ok", "what": "port", "found": found, "hint": ""}


def test_a_port_that_another_program_has_is_not_whoever_works_elsewhere(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.write() as tx:
        workers.join(tx, "worker_1", host="elsewhere", pid=4711)
    with answering(404) as port:
        monkeypatch.setenv("ORCHESTRATOR_PORT", str(port))
        found = port_of_check(run)
    assert found["status"] == "fail"
    assert "stop what uses it" in found["hint"]


def test_a_broker_that_takes_no_messages_since_it_is_a_replica_is_named(
    run: Run, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_BROKER_URL", own_redis.url)
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", 9)
        found = {one["what"]: one for one in json.loads(run("check", "--json").out)}["broker"]
        client.replicaof("NO", "ONE")
    assert (found["status"], "as a replica" in found["found"]) == ("fail", True)


def test_a_broker_whose_user_may_only_send_is_all_right(
    run: Run, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_redis.client() as client:
        client.acl_setuser("sends", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
    monkeypatch.setenv("ORCHESTRATOR_BROKER_URL", own_redis.url.replace("redis://", "redis://sends:any@"))
    found = {one["what"]: one for one in json.loads(run("check", "--json").out)}["broker"]
    assert (found["status"], "may not ask" in found["found"]) == ("ok", True)
