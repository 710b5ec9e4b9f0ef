"""What reading the gauges costs, by the number of rows there are.

`python -m tests.benchmarks.gauges_cost`: a private PostgreSQL, a thousand tenants. There are so many jobs
that wait for a look, as many files in the archive, and a tenth as many hand-offs owed, and given up. Prints
the median and the longest of some readings, in milliseconds, with and without what is read every ten minutes.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import psycopg

from orchestrator.engine import alarms
from orchestrator.engine.gauges import Gauges
from orchestrator.store import due_jobs, gauges, hand_offs
from orchestrator.store.database import Store, Transaction
from orchestrator.store.migrate import migrate
from tests.servers.postgres import PostgresServer

TENANTS = 1_000
_NOW = "(SELECT extract(epoch FROM clock_timestamp()) AS at) AS now"
FILL = (
    "INSERT INTO tenants (id, name) SELECT 't' || n, 't' || n FROM generate_series(0, %(tenants)s - 1) AS n",
    "INSERT INTO lanes (id, tenant_id, destination) SELECT id || '/folder', id, 'folder' FROM tenants",
    f"""
    INSERT INTO jobs (id, tenant_id, account_id, metadata, request, updates, destinations, state, state_since,
      session_id, attempts, without_webhook, gateway_id, progress, looks, look_errors, webhooks, clashes,
      detail_tries, needs_person, resubmitted, unconfirmed, accepted_at, deadline_at, due_at, fence, next_seq,
      hook_missed)
    SELECT 'job_' || n, 't' || n %% %(tenants)s, 'default', '{{}}', '{{"model": "m", "prompt": "p"}}',
      'hybrid', '["folder"]', 'waiting', now.at, 'job_' || n || '.1', 1, false, 'G-' || n, 0, 0, 0, 0, 0, 0,
      false, false, false, now.at, now.at + 86400, now.at + 3600 + random() * 3600, 0, 1, false
    FROM generate_series(1, %(rows)s) AS n, {_NOW}
    """,
    f"""
    INSERT INTO hand_offs (id, key, tenant_id, job_id, kind, output_index, destination, lane, state, attempts,
      created_at, due_at, fence, generation)
    SELECT n, 'key_' || n, 't' || n %% %(tenants)s, 'job_' || n, 'output', 0, 'folder',
      't' || n %% %(tenants)s || '/folder', CASE WHEN n %% 2 = 0 THEN 'owed' ELSE 'dead' END, 1, now.at,
      CASE WHEN n %% 2 = 0 THEN now.at + 3600 END, 0, 0
    FROM generate_series(1, %(rows)s / 5) AS n, {_NOW}
    """,
    f"""
    INSERT INTO archived (sha256, bytes, wanted_at)
    SELECT encode(sha256(n::text::bytea), 'hex'), 1000000, now.at
    FROM generate_series(1, %(rows)s) AS n, {_NOW}
    """,
)


# What one reading is made of, the alarms apart.
PARTS: dict[str, Callable[[Transaction], object]] = {
    "open jobs": gauges.open_jobs,
    "leases": gauges.leases,
    "hand-offs owed": gauges.owed,
    "hand-offs given up": gauges.dead,
    "due, counted": lambda tx: [
        *(due_jobs.count(tx, one, held_within=60, most=1_000) for one in (due_jobs.CREATES, due_jobs.LOOKS)),
        hand_offs.count_due(tx, most=1_000),
    ],
    "alarms": lambda tx: alarms.read(tx, wall_clock=tx.now, beat_expected=True),
}


def of(store: Store, act: Callable[[Transaction], object]) -> None:
    with store.read() as tx:
        act(tx)


def timed(act: Callable[[], object], rounds: int) -> str:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        times.append(1000 * (time.perf_counter() - began))
    return f"{statistics.median(times):8.1f} ms in the median, {max(times):8.1f} at most"


def fill(connection: "psycopg.Connection[tuple[object, ...]]", rows: int) -> None:
    for statement in FILL:
        connection.execute(statement, {"tenants": TENANTS, "rows": rows})
    for table in ("jobs", "hand_offs", "archived", "lanes", "tenants"):
        connection.execute(f"VACUUM ANALYZE {table}")


def measure(store: Store, rows: int, rounds: int) -> Iterator[str]:
    """A line for each part that is read."""
    context = cast("Any", SimpleNamespace(store=store, clock=time.monotonic))
    reading = Gauges(context, beat_expected=True)
    reading.read(time.time())
    yield f"{rows:,} open jobs: {timed(lambda: reading.read(time.time()), rounds)}"
    for name, part in PARTS.items():
        yield f"  {name:<24}{timed(partial(of, store, part), rounds)}"
    yield f"{rows:,} files:     {timed(partial(of, store, gauges.archive_size), min(rounds, 5))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    server = PostgresServer()
    try:
        store = Store(server.database())
        migrate(store)
        with server.connect(store.url) as connection:
            fill(connection, options.rows)
        for line in measure(store, options.rows, options.rounds):
            print(line, flush=True)
        store.close()
    finally:
        server.close()


if __name__ == "__main__":
    main()
