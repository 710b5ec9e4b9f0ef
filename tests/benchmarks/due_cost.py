"""What it costs to find and claim due work, by the number of open rows.

`python -m tests.benchmarks.due_cost`: a private PostgreSQL, one connection, one tenant. There are so many
jobs that wait for a look, as many accepted ones, as many hand-offs and as many webhooks; all are due far off
or matched, but for those that each claim finds due. Prints a table of medians, each of a whole transaction.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import psycopg

from orchestrator.core.routes import lane_of
from orchestrator.store import due_jobs, hand_offs, inbox, leases
from orchestrator.store.database import Store, Transaction
from orchestrator.store.due import Waiting
from orchestrator.store.migrate import migrate
from orchestrator.store.workers import join
from tests.servers.postgres import PostgresServer

Connection = psycopg.Connection[tuple[object, ...]]
Act = Callable[[Transaction], object]
MOST_CLAIMED = 200

_JOBS = """
INSERT INTO jobs (id, tenant_id, account_id, metadata, request, updates, destinations, state, state_since,
  session_id, attempts, without_webhook, gateway_id, progress, looks, look_errors, webhooks, clashes,
  detail_tries, needs_person, resubmitted, unconfirmed, accepted_at, deadline_at, due_at, fence, next_seq)
SELECT {name} || n, 'default', 'default', '{{}}', '{{"model": "google/veo-3.1-lite", "prompt": "p"}}',
  'hybrid', '["folder"]', {state}, now.at, {name} || n || '.0', 1, false, {gateway_id}, 0, 0, 0, 0, 0, 0,
  false, false, false, now.at, now.at + 86400, now.at + 3600 + random() * 3600, 0, 1
FROM generate_series(%(first)s::int, %(last)s::int) AS n,
  (SELECT extract(epoch FROM clock_timestamp()) AS at) AS now
"""
FILL = _JOBS.format(name="'job_'", state="'waiting'", gateway_id="'G-' || n")
ACCEPTED = _JOBS.format(name="'new_'", state="'accepted'", gateway_id="NULL")
OWED = """
INSERT INTO hand_offs (id, key, tenant_id, job_id, kind, output_index, destination, lane, state, attempts,
  created_at, due_at, fence, generation)
SELECT n, 'job_' || n || '/0/folder', 'default', 'job_' || n, 'output', 0, 'folder', %(lane)s, 'owed', 0,
  now.at, now.at + 3600 + random() * 3600, 0, 0
FROM generate_series(%(first)s::int, %(last)s::int) AS n,
  (SELECT extract(epoch FROM clock_timestamp()) AS at) AS now
"""
WEBHOOKS = """
INSERT INTO inbox (id, account_id, event_key, type, gateway_id, job_id, state, deliveries, received_at,
  last_received_at, headers, body)
SELECT n, 'default', 'evt_' || n, 'video.progress', 'G-' || n, 'job_' || n, 'applied', 1, now.at, now.at,
  '{}', '{}'
FROM generate_series(%(first)s::int, %(last)s::int) AS n,
  (SELECT extract(epoch FROM clock_timestamp()) AS at) AS now
"""
MAKE_DUE = """
UPDATE {table} SET due_at = extract(epoch FROM clock_timestamp()) - 1, leased_by = NULL
WHERE id IN (
  SELECT {id} FROM generate_series(0, %(due)s::int - 1) AS one,
    LATERAL (SELECT %(shift)s::int + one * (%(rows)s::int / %(due)s::int) AS n) AS number)
"""
PUT_BACK = "UPDATE {table} SET due_at = due_at + 7200, leased_by = NULL WHERE leased_by IS NOT NULL"


def claim_jobs(waiting: Waiting, limit: int) -> Act:
    return lambda tx: due_jobs.claim(tx, waiting, worker="w", limit=limit, lease=60)


def claim_hand_off(tx: Transaction) -> list[object]:
    claimed = hand_offs.claim_due(tx, worker="w", lease=60)
    return [claimed] if claimed else []


def look_ahead(tx: Transaction) -> list[float]:
    """All that a sweep asks about what is due soon."""
    until = tx.now + 5
    kinds = (due_jobs.CREATES, due_jobs.LOOKS)
    soon = [moment for kind in kinds for moment in due_jobs.moments(tx, kind, until=until, limit=200)]
    return soon + hand_offs.due_moments(tx, until=until, limit=200)


def due_longest(tx: Transaction) -> list[float]:
    """All that an alarm asks about what is left lying."""
    kinds = (due_jobs.CREATES, due_jobs.LOOKS)
    since = [due_jobs.since(tx, kind, held_within=60) for kind in kinds]
    return [moment for moment in (*since, hand_offs.due_since(tx)) if moment is not None]


# What finds nothing.
NOTHING: dict[str, Act] = {
    "claim looks, none due": claim_jobs(due_jobs.LOOKS, 200),
    "claim a create, none due": claim_jobs(due_jobs.CREATES, 1),
    "claim a hand-off, none due": claim_hand_off,
    "sweep: all three, five seconds ahead": look_ahead,
    "alarm: all three, due longest": due_longest,
    "sweep: abandoned creates": lambda tx: due_jobs.abandoned_creates(tx, limit=1),
    "sweep: overdue creates": lambda tx: due_jobs.overdue_creates(tx, limit=1),
    "sweep: webhooks that wait": lambda tx: inbox.unmatched(tx, since=tx.now - 300, limit=1),
    "leases of a worker": lambda tx: leases.of_worker(tx, "w"),
}
# What finds so many: the table, how an id is made of a number, how many are due, the claim.
SOME: dict[str, tuple[str, str, int, Act]] = {
    "claim 1 look": ("jobs", "'job_' || n", 1, claim_jobs(due_jobs.LOOKS, 1)),
    "claim 200 looks": ("jobs", "'job_' || n", MOST_CLAIMED, claim_jobs(due_jobs.LOOKS, MOST_CLAIMED)),
    "claim 1 create": ("jobs", "'new_' || n", 1, claim_jobs(due_jobs.CREATES, 1)),
    "claim 1 hand-off": ("hand_offs", "n", 1, claim_hand_off),
}


def timed(store: Store, act: Act, found: int) -> float:
    """Milliseconds of a transaction in which it finds so many."""
    began = time.perf_counter()
    with store.write(durable=False) as tx:
        result = act(tx)
    took = (time.perf_counter() - began) * 1000
    assert len(result) == found, f"found {result}"  # type: ignore[arg-type]
    return took


def measure(store: Store, connection: Connection, rows: int, rounds: int) -> Iterator[float]:
    """The medians in milliseconds, in the order of NOTHING and SOME."""
    for act in NOTHING.values():
        yield statistics.median(timed(store, act, 0) for _ in range(rounds))
    for table, id_of, due, act in SOME.values():
        times = []
        for number in range(rounds):
            given = {"rows": rows, "due": due, "shift": 1 + number % (rows // due)}
            connection.execute(MAKE_DUE.format(table=table, id=id_of), given)
            times.append(timed(store, act, due))
            connection.execute(PUT_BACK.format(table=table))
        yield statistics.median(times)


def fill(connection: Connection, first: int, last: int) -> None:
    """Rows of these numbers, of each kind."""
    lane = lane_of("default", "folder")
    connection.execute("INSERT INTO lanes VALUES (%s, 'default', 'folder') ON CONFLICT DO NOTHING", [lane])
    for statement in (FILL, ACCEPTED, OWED, WEBHOOKS):
        connection.execute(statement, {"first": first, "last": last, "lane": lane})
    for table in ("jobs", "hand_offs", "inbox"):
        connection.execute(f"VACUUM ANALYZE {table}")
    connection.execute("UPDATE workers SET beaten_at = extract(epoch FROM clock_timestamp()) + 86400")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    arguments.add_argument("--rounds", type=int, default=40)
    given = arguments.parse_args()
    if min(given.rows) < MOST_CLAIMED:
        arguments.error(f"--rows must be {MOST_CLAIMED} at least: so many are claimed at once")
    server = PostgresServer()
    try:
        store = Store(server.database())
        migrate(store)
        with store.write() as tx:
            join(tx, "w", host="here", pid=1)
        columns = []
        with server.connect(store.url) as connection:
            for there, rows in zip([0, *given.rows], given.rows, strict=False):
                fill(connection, there + 1, rows)
                columns.append(list(measure(store, connection, rows, given.rounds)))
        store.close()
    finally:
        server.close()
    print(table_of(given.rows, columns))


def table_of(sizes: list[int], columns: list[list[float]]) -> str:
    """Markdown."""
    head = ["open rows of each kind", *(f"{rows:,}" for rows in sizes)]
    lines = [head, ["---", *["---:"] * len(sizes)]]
    for name, *medians in zip([*NOTHING, *SOME], *columns, strict=True):
        lines.append([name, *(f"{one:.1f} ms" for one in medians)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
