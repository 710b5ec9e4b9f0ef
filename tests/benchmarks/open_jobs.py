"""Open jobs as a worker leaves them after a look: created, running, and looked at a few times."""

from typing import Any

import psycopg

from tests.benchmarks.lean_gateway import COST, MODEL, PROVIDER, STATUS

Connection = psycopg.Connection[tuple[Any, ...]]

_FILL = """
INSERT INTO jobs (id, tenant_id, account_id, metadata, request, updates, destinations, state, state_since,
  session_id, attempts, without_webhook, gateway_id, gateway_status, provider, model, request_id, cost_usd,
  progress, looks, look_errors, webhooks, clashes, detail_tries, needs_person, resubmitted, unconfirmed,
  hooked, hook_missed, ending_class, poll_after, last_look_at, seen_running_at, accepted_at, created_at,
  deadline_at, due_at, fence, next_seq)
SELECT 'job_' || lpad(n::text, 26, '0'), 'default', 'default', '{"order": "o-1"}', %(request)s,
  'hybrid', '["folder"]', 'waiting', now.at - 60, 'job_' || lpad(n::text, 26, '0') || '.1', 1, false,
  'G-' || lpad(n::text, 26, '0'), %(status)s, %(provider)s, %(model)s, 'G-' || lpad(n::text, 26, '0'),
  %(cost)s, 0, 2, 0, 0, 0, 0, false, false, false, true, false, 'google/veo-3.1-lite 8 s 720p', 20,
  now.at - 20, now.at - 20, now.at - 61, now.at - 60, now.at + 21600,
  now.at + %(first)s + random() * %(spread)s, 3, 2
FROM generate_series(%(from)s::int, %(to)s::int - 1) AS n,
  (SELECT extract(epoch FROM clock_timestamp()) AS at) AS now
"""
_REQUEST = (
    '{"model": "google/veo-3.1-lite", "prompt": "Waves break on black sand at dusk, a slow push in, low '
    'angle, long lens, gulls far off, the light going from gold to blue", "duration": 8, "size": "720p"}'
)


def fill(connection: Connection, start: int, end: int, *, first: float = 0.0, spread: float = 0.0) -> None:
    """Jobs with these numbers, `end` not included, due alike over `spread` seconds from `first` on."""
    told = {"status": STATUS, "provider": PROVIDER, "model": MODEL, "cost": COST, "request": _REQUEST}
    connection.execute(_FILL, told | {"from": start, "to": end, "first": first, "spread": spread})
    connection.execute("VACUUM ANALYZE jobs")
