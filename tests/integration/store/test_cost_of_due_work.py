"""What it costs to find due work depends on what is due, not on what is open: counted by PostgreSQL.

Nothing is timed: each statement is run once more by EXPLAIN, which tells how many blocks it touches.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from orchestrator.core.job import Job, OutputSeen
from orchestrator.core.lifecycle import SETTLED, State
from orchestrator.core.routes import Route
from orchestrator.store import due_jobs, hand_offs, inbox, leases, outputs, retention, schema, tenants
from orchestrator.store.database import Store, Transaction
from orchestrator.store.migrate import migrate
from tests.integration.store.rows import START, Clock, a_delivery, a_job, join, keep, owe
from tests.integration.store.together import undone
from tests.servers.postgres import Databases

OPEN = 20_000
DUE = 5
RECENT = 2_000  # webhooks of jobs that are not ours, in the last five minutes
BLOCKS_EACH = 3  # for each of them its gateway id is looked up
BLOCKS = 200  # of 8 KiB; most of them are indexes of the few rows that are written
LATER = START + 3_600
Find = Callable[[Transaction], object]


def multiply(tx: Transaction, table: str, where: str, told: dict[str, str], many: int = OPEN) -> None:
    """Put in so many rows like the one found, different in what is told: expressions of their number `n`."""
    columns = [one.name for one in schema.metadata.tables[table].columns if one.name not in told]
    copied = ", ".join(columns)
    tx.execute(
        text(
            f"INSERT INTO {table} ({copied}, {', '.join(told)}) SELECT {copied}, {', '.join(told.values())} "
            f"FROM {table}, generate_series(1, {many}) AS n WHERE {where}"
        )
    )


def many_jobs(store: Store, like: Job) -> None:
    """So many jobs like this one, due later and later."""
    keep(store, like)
    told = {name: f"{name} || '_' || n" for name in ("id", "session_id", "gateway_id")}
    with store.write() as tx:
        multiply(tx, "jobs", f"id = '{like.id}'", told | {"due_at": "due_at + n"})


def many_owed(store: Store) -> None:
    """What is owed for so many jobs, later."""
    owe(store, 0, job_id="job_open", due_at=LATER)
    told = {"id": f"{OPEN} + n", "key": "key || '_' || n", "job_id": "job_id || '_' || n"}
    with store.write() as tx:
        multiply(tx, "hand_offs", "job_id = 'job_open'", told | {"due_at": "due_at + n"})


def many_for_one_that_is_shut(store: Store) -> None:
    """What is owed to a destination that is away, all of it due."""
    keep(store, a_job("job_shut", State.COMPLETED, due_at=None, destinations=(Route("away"),)))
    owe(store, 0, job_id="job_shut", to="away")
    with store.write() as tx:
        multiply(tx, "hand_offs", "job_id = 'job_shut'", {"id": f"{3 * OPEN} + n", "key": "key || '_' || n"})


def many_archived(store: Store) -> None:
    """Outputs in the archive, too young to be purged, and dead letters of another destination."""
    with store.write() as tx:
        outputs.learn_all(tx, [("job_open", OutputSeen(0))])
        outputs.note(tx, "job_open", 0, {"sha256": "ab", "bytes": 1, "archived_at": START})
        multiply(tx, "outputs", "job_id = 'job_open'", {"job_id": "job_id || '_' || n"})


def many_entries(store: Store, clock: Clock) -> None:
    """So many webhooks of other programs' jobs, that came long ago."""
    clock.now -= 86_400
    with store.write() as tx:
        inbox.remember_all_once(tx, [a_delivery("evt", gateway_id="G-foreign")])
        told = {"id": f"{OPEN} + n", "event_key": "event_key || n", "gateway_id": "gateway_id || n"}
        multiply(tx, "inbox", "event_key = 'evt'", told)
    clock.now += 86_400


def recent_entries(store: Store) -> None:
    """Some that came just now."""
    with store.write() as tx:
        inbox.remember_all_once(tx, [a_delivery("new", gateway_id="G-other")])
        told = {"id": f"{3 * OPEN} + n", "event_key": "event_key || n", "gateway_id": "gateway_id || n"}
        multiply(tx, "inbox", "event_key = 'new'", told, RECENT)


def a_few_of_each(store: Store) -> None:
    """What is to be found."""
    join(store, "w")
    for number in range(DUE):
        keep(
            store,
            a_job(f"look_{number}", gateway_id=f"G-look_{number}"),
            a_job(f"create_{number}", State.ACCEPTED),
            a_job(f"held_{number}", leased_by="w", lease_until=START + 60),
            a_job(f"late_{number}", State.ACCEPTED, due_at=LATER, deadline_at=START - 1),
            a_job(f"abandoned_{number}", State.CREATING, due_at=None),
        )
        owe(store, 0, job_id=f"look_{number}")
        keep(store, a_job(f"old_{number}", State.COMPLETED, due_at=None, settled_at=START - 9))
        with store.write() as tx:
            outputs.learn_all(tx, [(f"old_{number}", OutputSeen(0))])
            outputs.note(tx, f"old_{number}", 0, {"sha256": "cd", "bytes": 1, "archived_at": START - 9})
        with store.write() as tx:
            inbox.remember_all_once(tx, [a_delivery(f"evt_look_{number}", gateway_id=f"G-look_{number}")])


def fill(store: Store, clock: Clock, *, known: bool) -> None:
    """Many open rows of each kind; the planner knows of all, or only of the jobs that were there first."""
    waiting = a_job("job_open", due_at=LATER, gateway_id="G-open")
    accepted = a_job("job_new", State.ACCEPTED, due_at=LATER, deadline_at=LATER + OPEN)
    many_jobs(store, waiting)
    analyze(store)
    many_jobs(store, accepted)
    many_owed(store)
    many_for_one_that_is_shut(store)
    many_archived(store)
    many_entries(store, clock)
    recent_entries(store)
    if known:
        analyze(store)
    a_few_of_each(store)


def analyze(store: Store) -> None:
    with store.write() as tx:
        for table in ("jobs", "hand_offs", "inbox", "outputs"):
            tx.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            tx.execute(text(f"ANALYZE {table}"))


@pytest.fixture(scope="module", params=["known", "unknown"])
def full(request: pytest.FixtureRequest, postgres: Databases) -> Iterator[Store]:
    """A store with many open rows of each kind and a few that are due; what a test does to it is undone."""
    clock = Clock()
    store = Store(postgres.database(), clock=clock)
    migrate(store)
    fill(store, clock, known=request.param == "known")
    yield store
    store.close()
    postgres.drop(store.url)


@contextmanager
def asked(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """The statements about rows that are run meanwhile, with their parameters."""
    found: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "FROM" in statement:
            found.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", listen)
    yield found
    event.remove(store.engine, "before_cursor_execute", listen)


def blocks(tx: Transaction, statement: str, parameters: Any) -> tuple[int, str]:
    """How many blocks it reads or finds in memory when it is run, and its plan."""
    cursor = tx.connection.connection.cursor()
    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
    (((plan,),),) = cursor.fetchall()
    cursor.close()
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"], str(plan["Plan"])


FIND: dict[str, Find] = {
    "claim looks": lambda tx: due_jobs.claim(tx, due_jobs.LOOKS, worker="w", limit=200, lease=60),
    "claim creates": lambda tx: due_jobs.claim(tx, due_jobs.CREATES, worker="w", limit=200, lease=60),
    "claim a hand-off": lambda tx: hand_offs.claim_due(tx, worker="w", lease=60, without=["away"]),
    "look ahead to looks": lambda tx: due_jobs.moments(tx, due_jobs.LOOKS, until=START + 5, limit=200),
    "look ahead to creates": lambda tx: due_jobs.moments(tx, due_jobs.CREATES, until=START + 5, limit=200),
    "look ahead to hand-offs": lambda tx: hand_offs.due_moments(
        tx, until=START + 5, limit=200, without=["away"]
    ),
    "the look due longest": lambda tx: due_jobs.since(tx, due_jobs.LOOKS, held_within=60),
    "the create due longest": lambda tx: due_jobs.since(tx, due_jobs.CREATES, held_within=60),
    "the hand-off due longest": lambda tx: hand_offs.due_since(tx, without=["away"]),
    "abandoned creates": lambda tx: due_jobs.abandoned_creates(tx, limit=200),
    "overdue creates": lambda tx: due_jobs.overdue_creates(tx, limit=200),
    "whether others wait": lambda tx: tenants.others_wait(tx, "default", "create_0"),
    "leases of a worker": lambda tx: leases.of_worker(tx, "w"),
    "whether a webhook waits": lambda tx: inbox.unmatched(tx, since=START - 300, limit=1),
    "webhooks that wait": lambda tx: inbox.unmatched(tx, since=START - 300, limit=200),
    "outputs to purge": lambda tx: retention.purge_outputs(tx, before=START - 5, states=SETTLED),
    "put off creates": lambda tx: due_jobs.put_off_creates(tx, a_job(), until=START + 15),
}


@pytest.mark.parametrize("name", FIND)
def test_a_few_that_are_due_among_many_that_are_open_cost_a_few_blocks(full: Store, name: str) -> None:
    with asked(full) as statements, undone(full) as tx:
        assert FIND[name](tx), "there is something to be found"
    assert statements
    for statement, parameters in statements:
        with undone(full) as tx:
            touched, plan = blocks(tx, statement, parameters)
            assert touched < BLOCKS + ("webhook" in name) * BLOCKS_EACH * RECENT, f"{touched} blocks: {plan}"


@pytest.mark.parametrize("table", ["jobs", "hand_offs", "inbox", "outputs"])
def test_all_that_are_open_would_cost_more_than_that(full: Store, table: str) -> None:
    with undone(full) as tx:
        assert blocks(tx, f"SELECT * FROM {table}", {})[0] > BLOCKS
