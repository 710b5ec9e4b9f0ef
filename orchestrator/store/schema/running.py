"""Which processes live."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Integer, String, Table, true

from orchestrator.store.schema.base import metadata

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("beaten_at", Float, nullable=False),
    # False for a web process that hands off what it owes itself, and does nothing else of a worker's.
    Column("takes_messages", Boolean, nullable=False, server_default=true()),
)

pulses = Table(
    "pulses",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("at", Float, nullable=False),
)
