"""The tables, by subject. Migrations must agree with these files."""

from __future__ import annotations

from orchestrator.store.schema.access import (
    NOT_REMOVED,
    accounts,
    api_keys,
    idempotency,
    sessions,
    tenants,
    tokens,
)
from orchestrator.store.schema.base import DEFAULT, FOR_SOMEBODY, metadata
from orchestrator.store.schema.delivery import (
    ARCHIVED,
    DEAD_LETTERS,
    HAND_OFFS_DUE,
    archived,
    attempts,
    configured_destinations,
    destinations,
    hand_offs,
    lanes,
    outputs,
)
from orchestrator.store.schema.history import FIRST_EVENTS, events, faults, observations
from orchestrator.store.schema.learned import estimates, ledger, lessons
from orchestrator.store.schema.running import pulses, workers
from orchestrator.store.schema.told import drift, inbox, rejections, searches
from orchestrator.store.schema.work import (
    BLAMED,
    CREATES_DUE,
    DEADLINES,
    LOOKS_DUE,
    REFERRED,
    RETRIES,
    SPENT,
    jobs,
)

__all__ = [
    "ARCHIVED",
    "BLAMED",
    "CREATES_DUE",
    "DEADLINES",
    "DEAD_LETTERS",
    "DEFAULT",
    "FIRST_EVENTS",
    "FOR_SOMEBODY",
    "HAND_OFFS_DUE",
    "LOOKS_DUE",
    "NOT_REMOVED",
    "REFERRED",
    "RETRIES",
    "SPENT",
    "accounts",
    "api_keys",
    "archived",
    "attempts",
    "configured_destinations",
    "destinations",
    "drift",
    "estimates",
    "events",
    "faults",
    "hand_offs",
    "idempotency",
    "inbox",
    "jobs",
    "lanes",
    "ledger",
    "lessons",
    "metadata",
    "observations",
    "outputs",
    "pulses",
    "rejections",
    "searches",
    "sessions",
    "tenants",
    "tokens",
    "workers",
]
