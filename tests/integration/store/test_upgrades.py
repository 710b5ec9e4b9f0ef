"""Upgrades from every earlier version keep what is there; two at once do the work once."""

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event

from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.store import due_jobs, hand_offs, inbox, job_lists, jobs
from orchestrator.store.database import Store
from orchestrator.store.migrate import _IN_TURN, HEAD, Version, migrate, revisions, version
from orchestrator.store.schema import metadata
from tests.acceptance.waiting import until
from tests.integration.store.earlier import ROWS, after_an_upgrade, held, make_as_of
from tests.integration.store.rows import Clock, claim, join, owe_outcome
from tests.integration.store.together import LONG, Elsewhere, ended
from tests.servers.postgres import Databases

ROOT = Path(__file__).parents[3]
EARLIER = sorted(ROWS)


@pytest.fixture
def empty(database_url: str, clock: Clock) -> Iterator[Store]:
    store = Store(database_url, clock=clock)
    yield store
    store.close()


def differences(store: Store) -> object:
    with store.read() as tx:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": True})
        return compare_metadata(context, metadata)


def test_every_earlier_revision_is_tried_with_rows() -> None:
    assert set(ROWS) >= revisions() - {HEAD}, "write down what a database of that revision holds"


@pytest.mark.parametrize("revision", EARLIER)
def test_an_upgrade_keeps_every_row_makes_the_database_what_the_schema_says_and_all_goes_on(
    empty: Store, clock: Clock, revision: str
) -> None:
    make_as_of(empty, revision)
    assert held(empty, ROWS[revision]) == ROWS[revision]
    assert migrate(empty) == Version(revision, HEAD)
    now = after_an_upgrade(revision)
    assert held(empty, now) == now
    assert not differences(empty)
    assert_what_was_under_way_goes_on(empty, clock)


def assert_what_was_under_way_goes_on(empty: Store, clock: Clock) -> None:
    clock.now = 1_000_906.0
    join(empty, "new")
    assert [job.id for job in claim(empty, "new")] == ["job_waiting"]
    with empty.write() as tx:
        (accepted,) = due_jobs.claim(tx, due_jobs.CREATES, worker="new", limit=9, lease=60)
        assert (accepted.id, accepted.request["prompt"]) == ("job_accepted", "日本語 🌅")
        assert [job.id for job in due_jobs.abandoned_creates(tx, limit=9)] == ["job_creating"]
        owed = hand_offs.claim_due(tx, worker="new", lease=60)
        assert owed is not None
        assert (owed.key, owed.attempts, owed.state) == ("job_done/1/archive", 1, HandOffState.OWED)
        assert hand_offs.claim_due(tx, worker="new", lease=60) is None
        assert hand_offs.release(tx, "job_done", 1) == 1
        owed = hand_offs.claim_due(tx, worker="new", lease=60)
        assert owed is not None
        assert (owed.key, owed.state) == ("job_done/1/folder", HandOffState.OWED)
        assert inbox.waiting_for(tx, [("default", "G-1", "none")])[0]
        assert job_lists.counts(tx)[State.FAILED] == 1


def test_a_row_gets_a_new_number_after_an_upgrade(empty: Store) -> None:
    make_as_of(empty, EARLIER[0])
    migrate(empty)
    with empty.write() as tx:
        assert owe_outcome(tx, "job_done", "again", "folder") == 1
        numbers = [one.id for one in hand_offs.of_job(tx, "job_done")]
    assert len(set(numbers)) == 4, "two were there, one goes to the archive first, and one is new"


# beside processes of the release before


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.parametrize(
    "tables", list(itertools.permutations(("tenants", "jobs", "hand_offs"), 2)), ids="-".join
)
def test_a_transaction_that_has_a_table_and_wants_another_gets_it_while_an_upgrade_waits(
    empty: Store, postgres: Databases, tables: tuple[str, str]
) -> None:
    make_as_of(empty, EARLIER[0])
    elsewhere = Elsewhere(empty)
    with postgres.connect(empty.url) as live, live.transaction():
        live.execute(f"UPDATE {tables[0]} SET id = id")
        upgrade = elsewhere.begin_and_wait_for_us(lambda: migrate(empty))
        live.execute(f"UPDATE {tables[1]} SET id = id")
        assert not upgrade.done()
    assert ended(upgrade) == Version(EARLIER[0], HEAD)
    elsewhere.close()


class Busy:
    """A process of an earlier release, as far as it claims a job, counts a look and owes something for it."""

    def __init__(self, live: psycopg.Connection[Any], job_id: str, *, owes_first: bool) -> None:
        self._live, self._job, self._owes_first = live, job_id, owes_first
        columns = live.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'hand_offs'"
        )
        there = {name for (name,) in columns.fetchall()}
        self._tenant = "tenant_id, " if "tenant_id" in there else ""
        self._lane = "lane" in there
        self.committed: list[str] = []
        self.stop = threading.Event()

    def work(self) -> None:
        while not self.stop.is_set():
            try:
                with self._live.transaction():
                    key = f"{self._job}/{len(self.committed)}"
                    for act in (self._owe, self._look) if self._owes_first else (self._look, self._owe):
                        act(key)
            except psycopg.errors.NotNullViolation:
                return  # the columns of its release are not enough any more
            self.committed.append(key)

    def _look(self, _key: str) -> None:
        self._live.execute(
            "UPDATE jobs SET leased_by = 'w', fence = fence + 1 WHERE id IN (SELECT jobs.id FROM tenants "
            "JOIN jobs ON jobs.tenant_id = tenants.id WHERE jobs.id = %s FOR UPDATE OF jobs SKIP LOCKED)",
            [self._job],
        )
        self._live.execute("UPDATE jobs SET looks = looks + 1, leased_by = NULL WHERE id = %s", [self._job])

    def _owe(self, key: str) -> None:
        names, values = ("lane, generation, ", "tenant_id || '/folder', 0, ") if self._lane else ("", "")
        self._live.execute(
            f"INSERT INTO hand_offs (key, {self._tenant}{names}job_id, kind, destination, state, attempts, "
            f"created_at, due_at, fence) SELECT %s, {self._tenant}{values}id, 'outcome', 'folder', 'owed', "
            "0, 0, 0, 0 FROM jobs WHERE id = %s",
            [key, self._job],
        )


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.parametrize("revision", EARLIER)
def test_an_upgrade_beside_processes_that_work_ends_and_nothing_that_they_committed_is_lost(
    empty: Store, postgres: Databases, revision: str
) -> None:
    make_as_of(empty, revision)
    elsewhere = Elsewhere(empty)
    with postgres.connect(empty.url) as one, postgres.connect(empty.url) as other:
        busy = Busy(one, "job_waiting", owes_first=False), Busy(other, "job_accepted", owes_first=True)
        working = [elsewhere.begin(each.work) for each in busy]
        until("both are at work", lambda: all(len(each.committed) > 5 for each in busy), LONG)
        assert migrate(empty) == Version(revision, HEAD)
        for each, work in zip(busy, working, strict=True):
            each.stop.set()
            ended(work)
    elsewhere.close()
    with empty.read() as tx:
        for job_id, each in zip(("job_waiting", "job_accepted"), busy, strict=True):
            owed = hand_offs.of_job(tx, job_id)
            assert [(one.key, one.tenant_id) for one in owed] == [(key, "other") for key in each.committed]
            assert jobs.require(tx, job_id).looks == len(each.committed)
    assert not differences(empty)


def test_an_upgrade_takes_every_table_that_there_is() -> None:
    assert set(_IN_TURN) == set(metadata.tables)


# two releases at once


def test_of_two_that_upgrade_at_once_one_does_the_work_and_the_other_waits_for_it(
    empty: Store, kind: str
) -> None:
    half_way, go_on = threading.Event(), threading.Event()

    def hold(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE TABLE jobs" in statement:
            half_way.set()
            assert go_on.wait(20)

    event.listen(empty.engine, "before_cursor_execute", hold)
    other = Store(empty.url)
    elsewhere = Elsewhere(other)
    first = elsewhere.begin(lambda: migrate(empty))
    assert half_way.wait(20)
    assert version(other).found is None
    begin = elsewhere.begin_and_wait_for_us if kind == "postgresql" else elsewhere.begin
    second = begin(lambda: migrate(other))
    go_on.set()
    assert ended(first) == Version(None, HEAD)
    # Where it stood when it was this one's turn; SQLite's second may also have come when all was done.
    assert ended(second) == Version(HEAD, HEAD)
    assert not differences(empty)
    elsewhere.close()
    other.close()


_MIGRATE = """
import sys
from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(migrate(store).found)
store.close()
"""


def test_two_processes_that_upgrade_at_once_both_succeed(empty: Store) -> None:
    make_as_of(empty, EARLIER[0])
    command = [sys.executable, "-c", _MIGRATE, empty.url]
    pipe = subprocess.PIPE
    releases = [
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in "ab"
    ]
    for release in releases:
        assert release.stdout is not None
        assert release.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(lambda release: release.communicate("\n", timeout=60), releases))
    assert [release.returncode for release in releases] == [0, 0], said
    assert sorted(out.strip() for out, _ in said) == sorted([EARLIER[0], HEAD])
    now = after_an_upgrade(EARLIER[0])
    assert held(empty, now) == now
    assert not differences(empty)
