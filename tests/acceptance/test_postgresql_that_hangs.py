"""PostgreSQL takes connections and answers none (paused, or on a disk that hangs)."""

import time

import httpx
import pytest

from orchestrator.processes.timers import BEAT_EVERY
from tests.acceptance.conftest import Deploy
from tests.acceptance.hooks import send
from tests.acceptance.load import rising
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import SECRET, Sandbox
from tests.acceptance.waiting import LONG, until
from tests.servers.postgres import PostgresServer

MANY = 24
DRAIN = 5  # seconds
GATEWAY_WAITS = 30.0  # seconds for the answer to a webhook


def test_webhooks_are_refused_in_time_and_all_goes_on_afterwards(
    deploy: Deploy, sandbox: Sandbox, own_postgres: PostgresServer
) -> None:
    fleet = deploy(sandbox, database_url=own_postgres.database("jobs"))
    fleet.start_all(workers=2)
    jobs = fleet.database.submit(*rising(MANY, first=0.2))
    until("results flow", lambda: len(fleet.handed_off()) > 3, 60)
    own_postgres.pause()
    try:
        assert httpx.get(f"{fleet.base}/healthz", verify=False).status_code == 200
        began = time.monotonic()
        with httpx.Client(timeout=GATEWAY_WAITS, trust_env=False, verify=False) as gateway:
            status, _ = send(fleet.receiver, SECRET, "G-1", "video.completed", "completed", client=gateway)
            assert gateway.get(f"{fleet.base}/readyz").status_code == 503
        assert status == 503
        assert time.monotonic() - began < GATEWAY_WAITS
    finally:
        own_postgres.resume()
    over = time.time()
    recovered("PostgreSQL paused", fleet, sandbox, jobs, since=over)

    assert send(fleet.receiver, SECRET, "G-1", "video.completed", "completed")[0] == 202
    assert {run.alive for run in fleet.runs} == {True}
    fleet.stop("worker", "web", "beat")


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_process_that_waits_for_it_stops_when_told(
    deploy: Deploy, sandbox: Sandbox, own_postgres: PostgresServer, role: str
) -> None:
    fleet = deploy(sandbox, database_url=own_postgres.database("jobs"), drain_seconds=DRAIN)
    fleet.start_all(workers=1)
    jobs = fleet.database.submit(*rising(5, first=0.2))
    fleet.database.wait(jobs)
    own_postgres.pause()
    try:
        assert httpx.get(f"{fleet.base}/readyz", timeout=LONG, verify=False).status_code == 503
        time.sleep(2 * BEAT_EVERY)  # every timer of a worker has met it
        began = time.monotonic()
        fleet.stop(role)
        took = time.monotonic() - began
    finally:
        own_postgres.resume()
    print(f"{role} stopped in {took:.1f} s")
    assert took < DRAIN + 15, "it waits for PostgreSQL"
