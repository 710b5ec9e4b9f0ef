"""What was learned of jobs and webhooks, and what looking cost."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, String, Table

from orchestrator.store.schema.base import NUMBER, metadata

# What the ends of jobs taught, until it is folded into the estimates: a row each, so that nobody waits.
lessons = Table(
    "lessons",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("kind", String(16), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_lessons_due_at", "due_at"),
    Index("ix_lessons_job_id", "job_id"),
)

# What was learned: when jobs of a class end, how webhooks come over a channel, how fresh a list is.
estimates = Table(
    "estimates",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("data", JSON, nullable=False),
    Column("changed_at", Float, nullable=False),
)

# What looking cost and what it would have cost by the guidance alone, by day.
ledger = Table(
    "ledger",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("model", String(200), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since the epoch, in UTC
    Column("jobs", Integer, nullable=False),
    Column("looks", Float, nullable=False),
    Column("lists", Float, nullable=False),
    Column("guidance_looks", Float, nullable=False),
    # Seconds between an end and our knowing of it, summed over the jobs.
    Column("lag", Float, nullable=False),
    Column("guidance_lag", Float, nullable=False),
    # Ends that a look told, of jobs for which a webhook was awaited.
    Column("awaited", Integer, nullable=False),
    Column("rescued", Integer, nullable=False),
)
