"""What it costs to find and claim due work, by the number of open jobs.

`python -m tests.benchmarks.due_cost`: a private PostgreSQL, one connection, one tenant. All jobs wait for a
look that is far off, but for those that each claim finds due. Quotes medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import psycopg

from orchestrator.store import jobs
from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
from orchestrator.store.workers import join
from tests.servers.postgres import PostgresServer

FILL = """
INSERT INTO jobs (id, tenant_id, account_id, metadata, request, updates, destinations, state, state_since,
  session_id, attempts, without_webhook, gateway_id, progress, looks, look_errors, webhooks, clashes,
  detail_tries, needs_person, resubmitted, unconfirmed, accepted_at, deadline_at, due_at, fence, next_seq)
SELECT 'job_' || n, 'default', 'default', '{}', '{"model": "google/veo-3.1-lite", "prompt": "p"}', 'hybrid',
  '["folder"]', 'waiting', now.at, 'job_' || n || '.0', 1, false, 'G-' || n, 0, 0, 0, 0, 0, 0, false, false,
  false, now.at, now.at + 86400, now.at + 3600 + random() * 3600, 0, 1
FROM generate_series(%(first)s::int, %(last)s::int) AS n,
  (SELECT extract(epoch FROM clock_timestamp()) AS at) AS now
"""
MAKE_DUE = """
UPDATE jobs SET due_at = extract(epoch FROM clock_timestamp()) - 1, leased_by = NULL
WHERE id IN (
  SELECT 'job_' || (%(shift)s::int + n * (%(rows)s::int / %(due)s::int))
  FROM generate_series(0, %(due)s::int - 1) AS n)
"""


def timed(act: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def look_for_nothing(store: Store) -> None:
    with store.write(durable=False) as tx:
        assert not jobs.claim_due(tx, jobs.LOOKS, worker="w", limit=200, lease=60)


def sweep_for_nothing(store: Store) -> None:
    with store.read() as tx:
        assert not jobs.due_moments(tx, jobs.LOOKS, until=tx.now + 5, limit=200)


def claim(store: Store, due: int) -> None:
    with store.write(durable=False) as tx:
        assert len(jobs.claim_due(tx, jobs.LOOKS, worker="w", limit=due, lease=60)) == due


def put_off(connection: psycopg.Connection[object]) -> None:
    connection.execute("UPDATE jobs SET due_at = due_at + 7200, leased_by = NULL WHERE leased_by IS NOT NULL")


def measure(store: Store, url: str, rows: int, rounds: int) -> tuple[float, float, float, float]:
    """Medians in milliseconds: nothing due, a sweep for nothing, a claim of 1, a claim of 200."""
    nothing = [timed(lambda: look_for_nothing(store)) for _ in range(rounds)]
    sweeps = [timed(lambda: sweep_for_nothing(store)) for _ in range(rounds)]
    claims: dict[int, list[float]] = {1: [], 200: []}
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for due, times in claims.items():
            for number in range(rounds):
                connection.execute(MAKE_DUE, {"rows": rows, "due": due, "shift": 1 + number % (rows // due)})
                times.append(timed(lambda due=due: claim(store, due)))  # type: ignore[misc]
                put_off(connection)
    return tuple(statistics.median(times) for times in (nothing, sweeps, claims[1], claims[200]))  # type: ignore[return-value]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    arguments.add_argument("--rounds", type=int, default=40)
    given = arguments.parse_args()
    server = PostgresServer()
    try:
        url = server.database()
        store = Store(url)
        migrate(store)
        with store.write() as tx:
            join(tx, "w", host="here", pid=1)
        print("| open jobs | claim, nothing due | sweep, nothing due | claim of 1 due | claim of 200 due |")
        print("|---:|---:|---:|---:|---:|")
        there = 0
        for rows in given.rows:
            with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute(FILL, {"first": there + 1, "last": rows})
                connection.execute("VACUUM ANALYZE jobs")
            there = rows
            with store.write() as tx:
                tx.connection.exec_driver_sql(
                    "UPDATE workers SET beaten_at = extract(epoch FROM clock_timestamp()) + 86400"
                )
            cells = " | ".join(f"{one:.2f} ms" for one in measure(store, url, rows, given.rounds))
            print(f"| {rows:,} | {cells} |", flush=True)
        store.close()
    finally:
        server.close()


if __name__ == "__main__":
    main()
