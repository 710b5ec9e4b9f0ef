"""How long each page of the dashboard takes with a million jobs in PostgreSQL: median and p99 of many visits.

python -m tests.benchmarks.dashboard_pages --jobs 1000000 --visits 100

A private PostgreSQL is filled by `generate_series`, then a real `web` process serves the pages, one visit
after the other over a kept connection. One visitor sees every tenant, the other one alone, with half of the
jobs.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psycopg

from orchestrator.core.access import Scope
from tests.acceptance.callers import new_key
from tests.acceptance.fleet import Fleet
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

Connection = psycopg.Connection[tuple[object, ...]]

GOAL = 300.0  # milliseconds, for every page
TENANTS = 20  # the first one, `default`, has half of all jobs
# As a busy month leaves them: one in ten is open, one in twenty ended badly. The newest are the open ones.
JOBS = """
INSERT INTO jobs (id, tenant_id, account_id, reference, metadata, request, updates, destinations, state,
  state_since, session_id, attempts, without_webhook, gateway_id, gateway_status, provider, model, progress,
  failure, blame, request_id, cost_usd, won_by, looks, look_errors, webhooks, clashes, detail_tries,
  needs_person, resubmitted, unconfirmed, accepted_at, created_at, settled_at, deadline_at, due_at, fence,
  next_seq, hooked, hook_missed, ending_class)
SELECT 'job_' || lpad(n::text, 26, '0'), tenant, 'default', 'order-' || n / 3, '{}',
  '{"model": "google/veo-3.1-lite", "prompt": "a red fox in the snow, seen from far above", "duration": 8}',
  'hybrid', '[{"to": "folder", "outcomes": ["completed"], "link": false}]', state, at + 60,
  'job_' || n || '.1', 1, false, 'G-' || lpad(n::text, 26, '0'), 'queued', 'google-ai-studio',
  'google/veo-' || n %% 7, 0,
  CASE WHEN state = 'failed' THEN '{"message": "no", "code": null, "detail": null}'::json END,
  CASE state WHEN 'failed' THEN 'provider' WHEN 'rejected' THEN 'request' WHEN 'timed_out' THEN 'deadline'
    END,
  'req-' || n, CASE WHEN state = 'completed' THEN 0.4 END,
  CASE WHEN state IN ('completed', 'failed') THEN CASE WHEN n %% 10 = 0 THEN 'poll' ELSE 'webhook' END END,
  n %% 3, 0, 1, 0, 0, state = 'uncertain' AND n %% 3 = 0, false, false, at, at + 1,
  CASE WHEN state NOT IN ('accepted', 'waiting', 'uncertain') THEN at + 60 END, at + 86400,
  CASE WHEN state IN ('accepted', 'waiting', 'uncertain') THEN now.moment + 3600 * random() END, 0, 4, true,
  false,
  'google-ai-studio|google/veo|8s'
FROM (
  SELECT n, now.at - (%(jobs)s - n) * 2592000.0 / %(jobs)s AS at,
    CASE WHEN n %% 2 = 0 THEN 'default' ELSE 't-' || n %% (2 * %(tenants)s - 2) / 2 END AS tenant,
    CASE WHEN n > %(jobs)s * 0.9 THEN CASE WHEN n %% 50 = 0 THEN 'accepted'
      WHEN n %% 5000 = 1 THEN 'uncertain' ELSE 'waiting' END
      WHEN n %% 25 = 0 THEN 'failed' WHEN n %% 100 = 1 THEN 'rejected' WHEN n %% 200 = 3 THEN 'timed_out'
      ELSE 'completed' END AS state
  FROM generate_series(1, %(jobs)s) AS n, (SELECT extract(epoch FROM clock_timestamp()) AS at) AS now
) AS made, (SELECT extract(epoch FROM clock_timestamp()) AS moment) AS now
"""
OTHERS = (
    """
INSERT INTO lanes (id, tenant_id, destination) SELECT id || '/' || place, id, place
FROM tenants, unnest(ARRAY['archive', 'folder']) AS place ON CONFLICT DO NOTHING
""",
    # One hand-off each of what completed; the newest are still owed, and one in fifty was given up.
    """
INSERT INTO hand_offs (key, tenant_id, job_id, kind, output_index, destination, lane, state, attempts,
  created_at, due_at, fence, generation, last_error, done_at)
SELECT id || '/0/folder', tenant_id, id, 'output', 0, 'folder', tenant_id || '/folder', fate, 1, accepted_at,
  CASE WHEN fate = 'owed' THEN accepted_at + 3600 END, 0, 0, CASE WHEN fate = 'dead' THEN 'HTTP 503' END,
  CASE WHEN fate = 'done' THEN accepted_at + 61 END
FROM (SELECT id, tenant_id, accepted_at, CASE WHEN right(id, 2) = '02' THEN 'dead'
  WHEN row_number() OVER (ORDER BY id DESC) < 30000 THEN 'owed' ELSE 'done' END AS fate
  FROM jobs WHERE state = 'completed') AS completed
""",
    """
INSERT INTO outputs (job_id, index, mime_type, bytes, sha256, missing, archived_at)
SELECT id, 0, 'video/mp4', 1400000, md5(id) || md5(id), false, settled_at FROM jobs WHERE state = 'completed'
""",
    """
INSERT INTO observations (job_id, seq, at, source, seen, verdict, from_state, to_state, request_id, raw)
SELECT id, seq, accepted_at + seq, CASE seq WHEN 1 THEN 'operator' ELSE 'webhook' END,
  CASE seq WHEN 1 THEN 'attempt' WHEN 2 THEN 'open' ELSE 'completed' END, 'moved', 'waiting', state,
  'req-' || seq, repeat('{"status": "queued"} ', 40)
FROM jobs, generate_series(1, 3) AS seq WHERE id > 'job_' || lpad((%(jobs)s * 0.6)::int::text, 26, '0')
""",
    """
INSERT INTO inbox (account_id, event_key, type, gateway_id, job_id, state, deliveries, received_at,
  last_received_at, headers, body)
SELECT 'default', 'evt-' || id, 'video.completed', gateway_id, id, 'applied', 1 + looks, settled_at,
  settled_at, '{}', '{}' FROM jobs WHERE state = 'completed'
""",
    """
INSERT INTO events (job_id, seq, tenant_id, position, at, type, data)
SELECT id, 1, tenant_id, 1, accepted_at, 'accepted', '{}' FROM jobs
""",
    """
INSERT INTO faults (job_id, fault, tenant_id, at, last_at, times, evidence)
SELECT id, 'poll_fault', tenant_id, accepted_at + 30, accepted_at + 30, 1, 'no answer' FROM jobs
WHERE right(id, 1) = '5'
""",
    """
INSERT INTO ledger (tenant_id, model, day, jobs, looks, lists, guidance_looks, lag, guidance_lag, awaited,
  rescued)
SELECT tenant_id, model, (accepted_at / 86400)::int, count(*), sum(looks), 0, 4 * count(*), count(*),
  8 * count(*), count(*), count(*) / 10 FROM jobs WHERE settled_at IS NOT NULL GROUP BY 1, 2, 3
""",
)
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname LIKE 'ix_%%'
"""
FILLED = ["jobs", "hand_offs", "outputs", "observations", "inbox", "events", "faults", "ledger"]


def fill(connection: Connection, many: int) -> None:
    """Rows of every kind. Indexes are made afterwards, which takes a third of the time."""
    names = [(name, made) for name, made in connection.execute(INDEXES, (FILLED,)).fetchall()]
    for name, _ in names:
        connection.execute(f"DROP INDEX {name}")
    connection.execute(
        "INSERT INTO tenants (id, name) SELECT 't-' || n, 't-' || n FROM generate_series(0, %s) AS n",
        (TENANTS - 2,),
    )
    given = {"jobs": many, "tenants": TENANTS}
    for statement in (JOBS, *OTHERS):
        began = time.monotonic()
        connection.execute(statement, given if "%(" in statement else None)
        print(f"{statement.split()[2]:>14}: {time.monotonic() - began:6.1f} s", flush=True)
    for _, made in names:
        connection.execute(str(made))
    for table in (*FILLED, "tenants", "lanes"):
        connection.execute(f"VACUUM ANALYZE {table}")


def pages(many: int) -> Iterator[tuple[str, str]]:
    """What each page is called, and its address."""
    old, new = (f"job_{number:026}" for number in (many // 2 + 4, many - 6))
    yield "overview", ""
    yield "jobs", "/jobs"
    yield "jobs, deep in the list", f"/jobs?before={old}"
    for query in (
        "state=open",
        "state=waiting",
        "state=uncertain",
        "state=ended+badly",
        "state=rejected&before=" + old,
        "model=google/veo-3",
        "model=none-such",
        "fault=provider",
        "fault=poll_fault",
        "fault=hook_exhausted",
        "hand_offs=given_up",
        "hand_offs=owed",
        f"q=order-{many // 5}",
        "q=order-0",
        "q=no-such-thing",
        "state=failed&model=google/veo-3&fault=provider",
    ):
        yield f"jobs, {query}", f"/jobs?{query}"
    yield "job, by the gateway's id", f"/jobs?q=G-{many // 3:026}"
    yield "job that ended", f"/jobs/{old}"
    yield "job that is open", f"/jobs/{new}"
    yield "many: retry, fault=provider", "/jobs/many?act=retry&fault=provider"
    yield "many: cancel, all", "/jobs/many?act=cancel"
    yield "many: replay, all", "/jobs/many?act=replay"
    for name in (
        "inbox",
        "inbox?fate=waiting",
        "inbox?fate=ignored",
        "inbox?type=video.failed&since=2020-01-01T00:00",
        f"inbox?gateway_id=G-{many // 2 + 4:026}",
        "inbox/100",
        "destinations",
        "destinations/folder",
        "destinations/folder/replay",
        "destinations/folder/replay?status=503",
        "uncertain",
        f"uncertain/{new}",
    ):
        yield name, f"/{name}"


def visit(client: httpx.Client, path: str, visits: int) -> list[float]:
    """Milliseconds of each visit; none where there is no such page."""
    times = []
    for number in range(visits + 2):
        began = time.perf_counter()
        answer = client.get(f"/dashboard{path}")
        if number >= 2:
            times.append((time.perf_counter() - began) * 1000)
        if answer.status_code == 404:
            return []
        assert answer.status_code in (200, 303, 403), f"{path}: {answer.status_code}\n{answer.text}"
        if answer.status_code == 403:
            return []
    return times


def measure(base: str, key: str, title: str, many: int, visits: int, only: str) -> float:
    """Print a table of the pages whose names begin so; returns the largest p99."""
    worst = 0.0
    with httpx.Client(
        base_url=base, timeout=60, headers={"Sec-Fetch-Site": "same-origin"}, verify=False
    ) as client:
        signed_in = client.post("/dashboard/sign-in", data={"key": key})
        assert signed_in.status_code == 303, signed_in.text
        print(f"\n| {title} | median | p99 |\n| --- | ---: | ---: |")
        for name, path in pages(many):
            if not name.startswith(tuple(only.split(","))):
                continue
            times = visit(client, path, visits)
            if times:
                p99 = statistics.quantiles(times, n=100, method="inclusive")[98]
                worst = max(worst, p99)
                over = " (over)" if p99 > GOAL else ""
                print(f"| {name} | {statistics.median(times):.1f} ms | {p99:.1f} ms{over} |", flush=True)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--visits", type=int, default=100)
    parser.add_argument("--only", default="", help="beginnings of the names of pages, separated by commas")
    options = parser.parse_args()
    if options.visits < 2:
        parser.error("--visits must be 2 at least: of one there is no p99")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = PostgresServer(shared_buffers="512MB", max_wal_size="4GB", maintenance_work_mem="256MB")
        stack.callback(postgres.close)
        redis = RedisServer()
        stack.callback(redis.close)
        url = postgres.database()
        fleet = Fleet(folder, "http://127.0.0.1:9", url, redis.url, requests_per_minute=0)
        stack.callback(fleet.end)
        everything = new_key(fleet.database)
        with postgres.connect(url) as connection:
            fill(connection, options.jobs)
        one = new_key(fleet.database, [Scope.READ, Scope.SUBMIT, Scope.OPERATE])
        fleet.start("web")
        told = (options.jobs, options.visits, options.only)
        worst = max(
            measure(fleet.base, everything, f"of all {TENANTS} tenants", *told),
            measure(fleet.base, one, "of one tenant, with half of the jobs", *told),
        )
        print(f"\nthe slowest page: p99 {worst:.1f} ms; the goal is {GOAL:.0f} ms")


if __name__ == "__main__":
    main()
