"""Databases as earlier versions left them, with rows: written down as they were, not made by today's code."""

import json
from typing import Any

from sqlalchemy import MetaData, Table

from orchestrator.store.database import Store
from orchestrator.store.migrate import upgrade

Rows = dict[str, list[dict[str, Any]]]


def _job(job_id: str, tenant: str, state: str, **more: Any) -> dict[str, Any]:
    counters = (
        "looks",
        "look_errors",
        "webhooks",
        "clashes",
        "detail_tries",
        "progress",
        "fence",
        "attempts",
    )
    no = ("without_webhook", "needs_person", "resubmitted", "unconfirmed")
    given = {
        "id": job_id,
        "tenant_id": tenant,
        "account_id": tenant,
        "metadata": {"user": 7},
        "request": {"model": "google/veo", "prompt": "日本語 🌅"},
        "updates": "hybrid",
        "destinations": ["folder"],
        "state": state,
        "state_since": 1_000_000.5,
        "session_id": f"{job_id}.1",
        "accepted_at": 1_000_000.5,
        "deadline_at": 1_003_600.0,
        "next_seq": 3,
    }
    return dict.fromkeys(counters, 0) | dict.fromkeys(no, False) | given | more


def _hand_off(number: int, job_id: str, state: str, **more: Any) -> dict[str, Any]:
    given = {
        "key": f"{job_id}/{number}/folder",
        "job_id": job_id,
        "kind": "output",
        "output_index": number,
        "destination": "folder",
        "state": state,
        "attempts": 1,
        "created_at": 1_000_001.0,
        "fence": 1,
    }
    return given | more


def _entry(number: int, state: str, **more: Any) -> dict[str, Any]:
    given = {
        "account_id": "default",
        "event_key": f"evt_{number}",
        "type": "video.completed",
        "gateway_id": f"G-{number}",
        "state": state,
        "deliveries": 2,
        "received_at": 1_000_002.0,
        "last_received_at": 1_000_003.0,
        "headers": {"x-phaseo-attempt": "1"},
        "body": json.dumps({"id": f"evt_{number}", "type": "video.completed"}).encode(),
    }
    return given | more


# What a database of each revision holds, by table, in the order in which it can be inserted.
ROWS: dict[str, Rows] = {
    "0001": {
        "tenants": [{"id": "other", "name": "o"}],
        "accounts": [{"id": "other", "tenant_id": "other", "name": "o"}],
        "jobs": [
            _job("job_accepted", "other", "accepted", due_at=1_000_000.5),
            _job("job_creating", "default", "creating", attempts=1),
            _job("job_waiting", "other", "waiting", due_at=1_000_020.0, gateway_id="G-1"),
            _job("job_done", "other", "completed", settled_at=1_000_900.0, gateway_id="G-2", progress=100),
            _job(
                "job_failed", "default", "failed", failure={"message": "no", "code": None}, blame="provider"
            ),
        ],
        "outputs": [{"job_id": "job_done", "index": 0, "missing": False, "bytes": 5_000_000_000}],
        "hand_offs": [
            _hand_off(0, "job_done", "done", done_at=1_000_901.0, bytes=5_000_000_000, location="/out/x.mp4"),
            _hand_off(1, "job_done", "owed", due_at=1_000_905.0),
            _hand_off(0, "job_failed", "dead", last_error="no"),
        ],
        "inbox": [_entry(1, "waiting"), _entry(2, "applied", job_id="job_done")],
        "rejections": [
            {
                "account_id": "default",
                "reason": "forged",
                "detail": "d",
                "received_at": 1_000_004.0,
                "headers": {},
                "body": bytes(range(256)),
                "truncated": True,
            }
        ],
        "observations": [
            {
                "job_id": "job_done",
                "seq": number,
                "at": 1_000_000.0 + number,
                "source": "poll",
                "seen": "open",
                "verdict": "known",
                "from_state": "waiting",
                "to_state": "waiting",
            }
            for number in (1, 2)
        ],
        "workers": [{"id": "w", "host": "h", "pid": 1, "started_at": 1_000_000.0, "beaten_at": 1_000_009.0}],
        "pulses": [{"name": "sweep", "at": 1_000_009.0}],
    }
}
_TENANT_OF = {job["id"]: job["tenant_id"] for job in ROWS["0001"]["jobs"]}
ROWS["0002"] = ROWS["0001"] | {
    "tenants": [
        {"id": "other", "name": "o", "held_reason": None, "held_until": None},
        {"id": "held", "name": "h", "held_reason": "10 of 10 jobs are open", "held_until": 1_000_060.0},
    ],
    "hand_offs": [one | {"tenant_id": _TENANT_OF[one["job_id"]]} for one in ROWS["0001"]["hand_offs"]],
}
_COUNTED = ("free_places", "counted_until")
ROWS["0003"] = ROWS["0002"] | {
    "tenants": [
        one | {"max_open_jobs": limit, "spend_cap_usd": None} | dict(zip(_COUNTED, counted, strict=True))
        for one, limit, counted in zip(
            ROWS["0002"]["tenants"], (None, 10), ((None, None), (3, 1_000_008.0)), strict=True
        )
    ],
    "destinations": [
        {
            "name": "folder",
            "failures": 6,
            "pause": 10.0,
            "shut_until": 1_000_070.0,
            "trying": None,
            "reason": "the disk is full",
        }
    ],
}
ROWS["0004"] = ROWS["0003"]
_LANES = [(tenant, to) for tenant in ("other", "default") for to in ("archive", "folder")]
ROWS["0005"] = {
    "tenants": ROWS["0004"]["tenants"],
    "lanes": [{"id": f"{tenant}/{to}", "tenant_id": tenant, "destination": to} for tenant, to in _LANES],
    **{name: rows for name, rows in ROWS["0004"].items() if name != "tenants"},
    "jobs": [
        one | {"destinations": [{"to": "folder", "outcomes": ["completed"], "link": False}]}
        for one in ROWS["0004"]["jobs"]
    ],
    "hand_offs": [
        _hand_off(
            1, "job_done", "owed", key="job_done/1/archive", kind="archive", destination="archive", fence=0
        )
        | {"tenant_id": "other", "lane": "other/archive", "generation": 0}
        | {"attempts": 0, "due_at": 1_000_905.0},
        *(
            one | {"lane": f"{one['tenant_id']}/folder", "generation": 0, "due_at": None}
            for one in ROWS["0004"]["hand_offs"]
        ),
    ],
}
ROWS["0006"] = ROWS["0005"] | {
    "tenants": [
        one | {"allowed_origins": ["https://a.example"], "requests_per_minute": 60}
        for one in ROWS["0005"]["tenants"]
    ],
    "jobs": [
        one | {"end_user": "user 7", "retry_of": None, "traceparent": None} for one in ROWS["0005"]["jobs"]
    ],
    "events": [
        {
            "job_id": "job_done",
            "seq": 1,
            "tenant_id": "other",
            "end_user": "user 7",
            "position": 1_000,
            "at": 1_000_001.0,
            "type": "state",
            "data": {"state": "completed"},
        }
    ],
    "idempotency": [
        {
            "tenant_id": "other",
            "key": "k",
            "fingerprint": "f" * 64,
            "job_ids": ["job_done"],
            "created_at": 1_000_001.0,
        }
    ],
}
_LOOKS = {"looks_per_second": 2.5, "looks_left": 1.0, "looks_left_at": 1_000_008.0}
_LEARNED = {"hooked": True, "hook_at": None, "hook_missed": False, "seen_running_at": 1_000_002.0}
ROWS["0007"] = ROWS["0006"] | {
    "tenants": [one | _LOOKS for one in ROWS["0006"]["tenants"]],
    "jobs": [one | _LEARNED | {"ending_class": "p|m|usual"} for one in ROWS["0006"]["jobs"]],
    "lessons": [{"job_id": "job_done", "kind": "closed", "due_at": 1_000_010.0, "data": {"at": 1.0}}],
    "estimates": [{"kind": "hooks", "name": "default|*", "data": {"came": 3}, "changed_at": 1_000_009.0}],
    "ledger": [
        {"tenant_id": "other", "model": "m", "day": 11, "jobs": 1, "awaited": 1, "rescued": 0}
        | dict.fromkeys(("looks", "lists", "guidance_looks", "lag", "guidance_lag"), 1.5)
    ],
}
ROWS["0008"] = ROWS["0007"] | {
    "api_keys": [
        {
            "id": "key",
            "tenant_id": "other",
            "name": "k",
            "digest": b"d" * 32,
            "scopes": ["read"],
            "created_at": 1_000_001.0,
        }
    ],
    "sessions": [
        {
            "id": "session",
            "key_id": "key",
            "digest": b"e" * 32,
            "created_at": 1_000_001.0,
            "expires_at": 1_086_401.0,
        }
    ],
}

ROWS["0009"] = ROWS["0008"] | {
    "faults": [
        {
            "job_id": "job_done",
            "fault": "poll_fault",
            "tenant_id": "other",
            "at": 1_000_003.0,
            "last_at": 1_000_004.0,
            "times": 2,
            "evidence": "no answer",
        }
    ],
    "drift": [
        {
            "kind": "unknown_status",
            "place": "look",
            "name": "asleep",
            "times": 3,
            "first_at": 1_000_003.0,
            "last_at": 1_000_004.0,
        }
    ],
}

ROWS["0010"] = ROWS["0009"]

ROWS["0011"] = ROWS["0010"] | {
    "searches": [
        {
            "account_id": "default",
            "searched_at": 1_000_003.0,
            "listed": 5,
            "whole": True,
            "strangers": ["1.2"],
        }
    ],
}


def after_an_upgrade(revision: str) -> Rows:
    """The rows of then as they are now: before there was an archive, an output that is owed waits for it.

    Positions are those of a server's transactions: on another one events get new ones.
    """
    if revision >= "0005":
        told = [
            {name: one[name] for name in one if name != "position"}
            for one in ROWS[revision].get("events", [])
        ]
        return ROWS[revision] | {"events": told}
    waits = {"due_at": None, "fence": 2}
    hand_offs = [one | (waits if one["state"] == "owed" else {}) for one in ROWS[revision]["hand_offs"]]
    return ROWS[revision] | {"hand_offs": hand_offs}


def make_as_of(store: Store, revision: str) -> None:
    """Bring an empty database to a revision, and put in what it held then."""
    with store.write() as tx:
        upgrade(tx, revision)
    with store.write() as tx:
        for name, rows in ROWS[revision].items():
            table = Table(name, MetaData(), autoload_with=tx.connection, resolve_fks=False)
            for row in rows:  # not all at once: they differ in their columns
                tx.execute(table.insert(), row)


def held(store: Store, expected: Rows) -> Rows:
    """Of these rows those that are there, in the columns that are given."""
    found: Rows = {}
    with store.read() as tx:
        for name, rows in expected.items():
            table = Table(name, MetaData(), autoload_with=tx.connection, resolve_fks=False)
            now = [dict(row._mapping) for row in tx.execute(table.select())]
            found[name] = [
                {column: one[column] for column in row}
                for row in rows
                for one in now
                if all(one[column] == row[column] for column in row)
            ]
    return found
