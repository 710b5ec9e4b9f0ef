"""PostgreSQL cannot make its tables any larger: what would be written anew fails, all else of it works.

A limit to the size of files, laid on the server's processes, stands for the disk: to PostgreSQL both are a
file that it could not extend.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from psycopg.rows import TupleRow

from tests.acceptance.conftest import Deploy
from tests.acceptance.database import wanted
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import finish, lasting, submit_in_flight
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until
from tests.servers.postgres import PostgresServer
from tests.servers.processes import descendants, launched

MANY = 30
LIMIT = 16 * 1024 * 1024  # bytes: a segment of the write-ahead log, which must not fail
# Tables that every webhook and every move adds to, made as large as a file may become: with large rows first,
# then with small ones in what these left.
FILL = {
    "observations": """
        INSERT INTO observations (job_id, seq, at, source, seen, verdict, from_state, to_state, note)
        SELECT %(job)s, %(from)s + n, 0, 'clock', 'open', 'known', 'completed', 'completed', %(words)s
        FROM generate_series(1, %(many)s) AS n""",
    "inbox": """
        INSERT INTO inbox (account_id, event_key, type, gateway_id, state, deliveries, received_at,
            last_received_at, headers, body)
        SELECT 'default', 'filler ' || %(from)s + n, 'filler', %(job)s, 'applied', 1, 0, 0, '{}',
            convert_to(%(words)s, 'UTF8')
        FROM generate_series(1, %(many)s) AS n""",
}
MOST_ROWS, LARGEST_ROW = 100, 1_200  # bytes
LARGE = "x" * 900


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """One that does not clean up behind itself, which would make room."""
    server = PostgresServer(autovacuum="off")
    yield server
    server.close()


def test_all_waits_for_room_and_nothing_is_lost(
    deploy: Deploy, sandbox: Sandbox, own_postgres: PostgresServer
) -> None:
    url = own_postgres.database("jobs")
    # Forgetting what is old would make room.
    fleet = deploy(sandbox, database_url=url, retain_observations_days=30_000, retain_inbox_days=30_000)
    fleet.start_all(workers=2)
    (first,) = fleet.database.submit(wanted(duration=0.1))
    fleet.database.wait([first])
    jobs = submit_in_flight(fleet, lasting(MANY))  # half of them polled, so that workers have to write too
    _fill(own_postgres, url, first)
    finish(fleet, sandbox, jobs)
    until("webhooks are refused", lambda: _refused(sandbox), 120)
    until("the log says why", lambda: _told(fleet, "worker") and _told(fleet, "web"), 120)
    assert fleet.database.unfinished(jobs), "there was room for all"

    _limit(own_postgres, "unlimited")
    room = time.time()
    recovered("the disk of PostgreSQL is full", fleet, sandbox, [first, *jobs], since=room)
    assert {run.alive for run in fleet.runs} == {True}


def _fill(server: PostgresServer, url: str, job: str) -> None:
    _limit(server, LIMIT)
    numbers = count(1_000_000, MOST_ROWS)

    def add_rows(connection: psycopg.Connection[TupleRow], table: str, words: str, many: int) -> None:
        row = {"job": job, "from": next(numbers), "words": words, "many": many}
        connection.execute(FILL[table], row)

    def add_until_it_fails(
        connection: psycopg.Connection[TupleRow], table: str, words: str, many: int
    ) -> None:
        for _ in range(10_000):
            add_rows(connection, table, words, many)

    # A statement that fails leaves rows that whoever reads them clears away: none of large or many rows may.
    for table in FILL:
        with server.connect(url) as connection:
            while _size(connection, table) < LIMIT - 3 * MOST_ROWS * LARGEST_ROW:
                add_rows(connection, table, LARGE, MOST_ROWS)
            for words, many in ((LARGE, 1), ("", 20), ("", 1)):
                with pytest.raises(psycopg.Error, match="could not extend file"):
                    add_until_it_fails(connection, table, words, many)


def _size(connection: psycopg.Connection[TupleRow], table: str) -> int:
    row = connection.execute("SELECT pg_relation_size(%s::regclass)", [table]).fetchone()
    assert row is not None
    return int(row[0])


def _limit(server: PostgresServer, most: int | str) -> None:
    """For all processes of the server, and those that it will start; only their own user may."""
    for pid in (server.process.pid, *descendants(server.process.pid)):
        limit = [shutil.which("prlimit") or "", "--pid", str(pid), f"--fsize={most}:"]
        subprocess.run(launched(limit, server.user), check=pid == server.process.pid)  # others come and go


def _refused(sandbox: Sandbox) -> int:
    """How many jobs' webhooks met a receiver that could not keep them."""
    return sum(503 in row["statuses"] for row in sandbox.webhooks(type="video.completed"))


def _told(fleet: Fleet, role: str) -> bool:
    runs = fleet.of(role)
    lines = [line for run in runs for line in run.events() if line["event"] == "store_failed"]
    return any("could not extend file" in line["error"] for line in lines)
