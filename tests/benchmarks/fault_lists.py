"""What it costs to list jobs, and to list and count them by blame and by what they met, by their number.

`python -m tests.benchmarks.fault_lists`: a private PostgreSQL, two tenants in turn, a job each 2.6 seconds.
One in twenty failed (`provider`), one in a thousand was refused (`request`), one in ten met a fault on its
way, and nobody cancelled one. Prints a table of medians and of the slowest, each of a whole transaction.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import psycopg

from orchestrator.core.blame import Fault
from orchestrator.core.lifecycle import State
from orchestrator.engine import blaming
from orchestrator.store import faults, job_lists
from orchestrator.store.database import Store, Transaction
from orchestrator.store.job_lists import Listed
from orchestrator.store.migrate import migrate
from tests.servers.postgres import PostgresServer

Act = Callable[[Transaction], object]
NOW = 1_790_000_000
APART = 2.6  # seconds between two jobs: a million in thirty days
PAGE = 50

JOBS = """
INSERT INTO jobs (id, tenant_id, account_id, metadata, request, updates, destinations, state, state_since,
  session_id, attempts, without_webhook, gateway_id, progress, looks, look_errors, webhooks, clashes,
  detail_tries, needs_person, resubmitted, unconfirmed, accepted_at, deadline_at, fence, next_seq, blame)
SELECT 'job_' || lpad(n::text, 26, '0'), CASE WHEN n %% 2 = 0 THEN 'default' ELSE 'other' END, 'default',
  '{}',
  '{"model": "google/veo-3.1-lite", "prompt": "p"}', 'hybrid', '[]',
  CASE WHEN n %% 20 = 0 THEN 'failed' WHEN n %% 1000 = 2 THEN 'rejected' ELSE 'completed' END,
  %(now)s - (%(rows)s - n) * %(apart)s, 's' || n, 1, false, 'G-' || n, 0, 0, 0, 0, 0, 0, false, false, false,
  %(now)s - (%(rows)s - n) * %(apart)s, %(now)s, 0, 1,
  CASE WHEN n %% 20 = 0 THEN 'provider' WHEN n %% 1000 = 2 THEN 'request' END
FROM generate_series(1, %(rows)s::int) AS n
"""
FAULTS = """
INSERT INTO faults (job_id, fault, tenant_id, at, last_at, times, evidence)
SELECT id, CASE WHEN n %% 1000 = 0 THEN 'hand_off_failed' WHEN n %% 3 = 0 THEN 'poll_fault'
  ELSE 'hook_not_sent' END, tenant_id, accepted_at, accepted_at, 1, 'a look failed: HTTP 502'
FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM jobs) AS numbered WHERE n %% 10 = 0
"""


def page(fault: Fault | None = None, *, state: State | None = None, deep: int | None = None) -> Act:
    before = None if deep is None else f"job_{deep:026}"
    which = Listed((state,) if state else (), blame=fault)
    return lambda tx: job_lists.page(tx, "default", which, limit=PAGE, before=before)


def counts(days: float, *, every: int = blaming.HOUR, tenant: str | None = None) -> Act:
    return lambda tx: blaming.counts(tx, tenant, NOW - days * blaming.DAY, every=every)


def acts(rows: int) -> dict[str, Act]:
    return {
        "a page of all": page(),
        "a page of all, half-way down": page(deep=rows // 2),
        "a page of completed ones, half-way down": page(state=State.COMPLETED, deep=rows // 2),
        "a page of rejected ones, half-way down": page(state=State.REJECTED, deep=rows // 2),
        "a page of `provider`": page(Fault.PROVIDER),
        "a page of `provider`, half-way down": page(Fault.PROVIDER, deep=rows // 2),
        "a page of `request`": page(Fault.REQUEST),
        "a page of `caller`, which none has": page(Fault.CALLER),
        "a page of `poll_fault`": page(Fault.POLL_FAULT),
        "a page of `poll_fault`, half-way down": page(Fault.POLL_FAULT, deep=rows // 2),
        "a page of `hand_off_failed`": page(Fault.HAND_OFF_FAILED),
        "counts by hour, one day, all tenants": counts(1),
        "counts by hour, one tenant": counts(1, tenant="default"),
        "counts by day, seven days": counts(7, every=blaming.DAY),
        "counts by day, thirty days": counts(30, every=blaming.DAY),
        "alarm: what recurs": lambda tx: faults.recent(tx, Fault.POLL_FAULT, since=NOW - 600, most=1_000),
    }


def timed(store: Store, act: Act) -> float:
    """Milliseconds of a transaction."""
    began = time.perf_counter()
    with store.read() as tx:
        act(tx)
    return (time.perf_counter() - began) * 1_000


def fill(connection: "psycopg.Connection[tuple[object, ...]]", rows: int) -> None:
    connection.execute("INSERT INTO tenants (id, name) VALUES ('other', 'other') ON CONFLICT DO NOTHING")
    connection.execute("TRUNCATE jobs CASCADE")
    given = {"rows": rows, "now": NOW, "apart": APART}
    connection.execute(JOBS, given)
    connection.execute(FAULTS, {})
    for table in ("jobs", "faults"):
        connection.execute(f"VACUUM ANALYZE {table}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    arguments.add_argument("--rounds", type=int, default=40)
    given = arguments.parse_args()
    server = PostgresServer()
    found: dict[str, list[str]] = {}
    try:
        store = Store(server.database())
        migrate(store)
        with server.connect(store.url) as connection:
            for rows in given.rows:
                fill(connection, rows)
                for name, act in acts(rows).items():
                    times = [timed(store, act) for _ in range(given.rounds)]
                    told = f"{statistics.median(times):.1f} / {max(times):.1f} ms"
                    found.setdefault(name, []).append(told)
        store.close()
    finally:
        server.close()
    print(table_of(given.rows, found))


def table_of(sizes: list[int], found: dict[str, list[str]]) -> str:
    """Markdown."""
    lines = [["jobs", *(f"{rows:,}" for rows in sizes)], ["---", *["---:"] * len(sizes)]]
    lines += [[name, *told] for name, told in found.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
