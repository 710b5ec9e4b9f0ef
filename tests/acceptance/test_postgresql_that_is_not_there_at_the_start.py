"""Web and workers are started before their database, or on one that nobody migrated."""

import time

import httpx
import pytest

from orchestrator.cli.exits import Exit
from tests.acceptance.conftest import Deploy
from tests.acceptance.hooks import send
from tests.acceptance.load import rising
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import SECRET, Sandbox
from tests.acceptance.waiting import until
from tests.servers.fixtures import NewDatabase
from tests.servers.postgres import PostgresServer


def test_they_come_up_and_work_once_it_is_there(
    deploy: Deploy, sandbox: Sandbox, own_postgres: PostgresServer
) -> None:
    fleet = deploy(sandbox, database_url=own_postgres.database("jobs"))
    jobs = fleet.database.submit(*rising(10))
    own_postgres.stop()
    web, worker, _ = (fleet.launch(role) for role in ("web", "worker", "beat"))
    fleet.ready(web)
    assert send(fleet.receiver, SECRET, "G-1", "video.completed", "completed")[0] == 503
    assert httpx.get(f"{fleet.base}/readyz", verify=False).status_code == 503
    until("the worker says what it waits for", lambda: "start PostgreSQL" in worker.complained(), 60)

    own_postgres.start()
    there = time.time()
    fleet.ready(worker)
    recovered("PostgreSQL started after web and worker", fleet, sandbox, jobs, since=there)
    assert send(fleet.receiver, SECRET, "G-1", "video.completed", "completed")[0] == 202


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_database_that_nobody_migrated_is_refused(
    role: str, deploy: Deploy, sandbox: Sandbox, new_database: NewDatabase
) -> None:
    fleet = deploy(sandbox, database_url=new_database(migrated=False))
    process = fleet.launch(role)
    assert process.wait(60) == Exit.STORE, process.complained()
    assert "orchestrator migrate" in process.complained()


def test_a_web_that_was_there_first_refuses_it_as_well(
    deploy: Deploy, sandbox: Sandbox, own_postgres: PostgresServer
) -> None:
    fleet = deploy(sandbox, database_url=own_postgres.database("jobs"))
    own_postgres.stop()
    web = fleet.start("web")
    own_postgres.start()
    assert web.wait(60) == Exit.STORE, web.complained()
    assert "error: the database is at revision none" in web.complained()
    assert "orchestrator migrate" in web.complained()
