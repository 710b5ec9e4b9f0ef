"""The long poll: answered at once when something happened, and never longer than asked."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from orchestrator.core.lifecycle import State
from orchestrator.store import jobs
from tests.integration.api.conftest import NewApi
from tests.integration.api.served import Holder, Served
from tests.sandbox.harness import until

LONG_WAIT = 50


def waiting(holder: Holder, job_id: str, seconds: float = LONG_WAIT) -> tuple[threading.Thread, list[Any]]:
    """Somebody who waits for a job; what they were answered."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(holder.get(f"/jobs/{job_id}", wait=seconds)))
    thread.start()
    until(lambda: holder.api.hub.followers)
    return thread, found


def test_it_is_answered_as_soon_as_the_job_is_ready(us: Holder) -> None:
    job = us.completed()
    thread, found = waiting(us, job.id)
    began = time.monotonic()
    us.archive(job)
    thread.join()
    assert found[0].json()["ready"] is True
    assert time.monotonic() - began < LONG_WAIT / 5


def test_it_is_answered_when_time_is_over_with_what_is(us: Holder) -> None:
    job = us.kept()
    answer = us.get(f"/jobs/{job.id}", wait=0.2)
    assert (answer.status_code, answer.json()["state"], answer.json()["ready"]) == (200, "accepted", False)


def test_a_job_that_is_ready_is_not_waited_for(us: Holder) -> None:
    job = us.move(us.kept(), State.FAILED)
    began = time.monotonic()
    assert us.get(f"/jobs/{job.id}", wait=LONG_WAIT).json()["ready"] is True
    assert time.monotonic() - began < LONG_WAIT / 5


def test_no_job_is_not_waited_for(us: Holder) -> None:
    assert us.get("/jobs/none", wait=LONG_WAIT).status_code == 404
    assert us.get("/jobs/none", wait=61).status_code == 422


def test_many_who_wait_hold_no_thread_that_others_need(us: Holder, api: Served) -> None:
    job = us.completed()
    everybody = [waiting(us, job.id) for _ in range(60)]  # more than there are threads
    until(lambda: api.hub.followers >= 60)
    assert us.get(f"/jobs/{job.id}").status_code == 200
    us.archive(job)
    for thread, found in everybody:
        thread.join()
        assert found[0].json()["ready"] is True


def test_whoever_waits_asks_the_database_nothing_while_nothing_is_told(us: Holder, api: Served) -> None:
    job = us.kept()
    with _reads_of_jobs(api) as reads:
        assert us.get(f"/jobs/{job.id}", wait=3.5).json()["state"] == "accepted"
    # The hub may have been at work for others: then that the job was kept is told to this one too.
    assert 2 <= len(reads) <= 3, "at the beginning and at the end, and not each second"


def test_what_happens_untold_after_the_end_of_a_job_is_seen_within_seconds(us: Holder, api: Served) -> None:
    job = us.move(us.kept(), State.FAILED, detail_tries=1)
    thread, found = waiting(us, job.id)
    with api.store.write() as tx:
        jobs.note(tx, job.id, {"detail_tries": 0})
    thread.join(LONG_WAIT / 5)
    assert found[0].json()["ready"] is True


@contextmanager
def _reads_of_jobs(api: Served) -> Iterator[list[str]]:
    reads: list[str] = []

    def read(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM jobs" in statement:
            reads.append(statement)

    event.listen(api.store.engine, "before_cursor_execute", read)
    yield reads
    event.remove(api.store.engine, "before_cursor_execute", read)


def test_whoever_leaves_is_waited_for_no_longer(us: Holder, api: Served) -> None:
    job = us.kept()
    with api.connect() as connection:
        head = f"GET /v1/jobs/{job.id}?wait={LONG_WAIT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {us.key}"
        connection.sendall(f"{head}\r\n\r\n".encode())
        until(lambda: api.hub.followers)
        connection.shutdown(socket.SHUT_RDWR)
    until(lambda: not api.hub.followers)


def test_a_server_that_stops_answers_whoever_waits(new_api: NewApi) -> None:
    api = new_api()
    us = api.new_tenant()
    thread, found = waiting(us, us.kept().id)
    api.hub.stop()  # as the process does when it is told to stop
    thread.join()
    assert found[0].json()["state"] == "accepted"


def test_a_hub_that_cannot_begin_makes_nobody_wait_longer(us: Holder, api: Served) -> None:
    """It reads the events again and again until it can; whoever waits was promised an answer."""
    job = us.kept()
    with api.store.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO hidden")
        connection.commit()
    try:
        answer = us.ask("GET", f"/jobs/{job.id}", params={"wait": 0.2}, timeout=LONG_WAIT / 5)
    finally:
        with api.store.engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO events")
            connection.commit()
    assert (answer.status_code, answer.json()["state"]) == (200, "accepted")
