"""PostgreSQL is restarted, cut off and away while jobs, webhooks and hand-offs are under way."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg

from tests.acceptance.conftest import Deploy
from tests.acceptance.fleet import Fleet
from tests.acceptance.hooks import post, send
from tests.acceptance.load import finish, lasting, now, rising, submit_in_flight
from tests.acceptance.recovery import recovered
from tests.acceptance.sandbox import HINT, SECRET, Sandbox
from tests.acceptance.truth import assert_delivered_once
from tests.acceptance.waiting import LONG, until
from tests.servers.postgres import PostgresServer

MANY = 24
AWAY = 3.0  # seconds


def test_nothing_is_lost_and_nothing_doubled_and_no_process_needs_to_be_started_anew(
    deploy: Deploy, sandbox: Sandbox, own_postgres: PostgresServer
) -> None:
    fleet = deploy(sandbox, database_url=own_postgres.database("jobs"))
    fleet.start_all(workers=2)
    faults: dict[str, Callable[[], object]] = {
        "restarted (fast)": own_postgres.restart,
        "restarted (immediate)": lambda: own_postgres.restart("immediate"),
        "killed (kill -9)": lambda: _kill(own_postgres),
        "with every connection cut": lambda: _cut_all(own_postgres),
    }
    everything: list[str] = []
    for name, fault in faults.items():
        tail = submit_in_flight(fleet, lasting(MANY // 4))
        jobs = fleet.database.submit(*rising(MANY, first=0.2))
        before = len(everything)
        until("results flow", lambda before=before: len(fleet.handed_off()) > before + 3)  # type: ignore[misc]
        fault()
        over = now()
        finish(fleet, sandbox, tail)
        recovered(f"PostgreSQL {name}", fleet, sandbox, jobs + tail, since=over)
        everything += jobs + tail
    everything += _away_while_creates_are_answered(fleet, sandbox, own_postgres)
    assert_delivered_once(fleet, sandbox, everything)
    assert {run.alive for run in fleet.runs} == {True}


def _kill(server: PostgresServer) -> None:
    server.kill()
    server.start()


def _cut_all(server: PostgresServer) -> None:
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(others + " AND backend_type = 'client backend'")


def _away_while_creates_are_answered(fleet: Fleet, sandbox: Sandbox, server: PostgresServer) -> list[str]:
    """The gateway makes each job at once and answers into the outage: no answer is lost."""
    sandbox.faults(hold="creates")
    jobs = fleet.database.submit(*lasting(MANY, poll_after_seconds=4 * HINT))
    until("creates are under way", lambda: len(_unanswered(sandbox)) >= 10)
    server.stop()
    stopped, under_way = now(), len(_unanswered(sandbox))
    sandbox.heal()
    until("creates are answered into the outage", lambda: len(_unanswered(sandbox)) <= under_way - 10)
    _answers_503_and_says_why(fleet)
    until("it was away for a while", lambda: now() > stopped + AWAY)
    server.start()
    over = now()
    _takes_hooks_at_once(fleet)
    finish(fleet, sandbox, jobs)
    recovered(
        f"PostgreSQL away for {AWAY:.0f} s, creates answered meanwhile", fleet, sandbox, jobs, since=over
    )
    assert {fleet.database.job(job).attempts for job in jobs} == {1}
    return jobs


def _unanswered(sandbox: Sandbox) -> list[dict[str, Any]]:
    return sandbox.requests("POST", path="/v1/videos", status=0)


def _answers_503_and_says_why(fleet: Fleet) -> None:
    def refused() -> httpx.Response | None:
        answer = _get(fleet, "readyz")
        return answer if answer.status_code == 503 else None

    ready = until("readiness is refused", refused)
    assert ready is not None
    assert ready.json()["code"] == "store_unavailable"
    assert "database" in ready.json()["detail"]
    assert _get(fleet, "healthz").status_code == 200, "the process itself is well"
    refusal = post(fleet.receiver, SECRET, "G-unknown", "video.completed", "completed")
    assert (refusal.status_code, refusal.json()["code"]) == (503, "store_unavailable")
    assert int(refusal.headers["retry-after"]) > 0


def _takes_hooks_at_once(fleet: Fleet) -> None:
    status, said = send(fleet.receiver, SECRET, "G-unknown", "video.completed", "completed")
    assert (status, said) == (202, {"status": "waiting"})
    assert _get(fleet, "readyz").status_code == 200


def _get(fleet: Fleet, path: str) -> httpx.Response:
    return httpx.get(f"{fleet.base}/{path}", timeout=LONG, trust_env=False, verify=False)
