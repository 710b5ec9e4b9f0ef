"""Outputs, where they are kept, and to whom they are owed."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from orchestrator.store.schema.base import LEASED, NUMBER, index_of, metadata

HAND_OFFS_DUE = text("state = 'owed' AND due_at IS NOT NULL")
DEAD_LETTERS = text("state = 'dead'")
ARCHIVED = text("archived_at IS NOT NULL")

outputs = Table(
    "outputs",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("mime_type", String(100)),
    Column("announced_bytes", BigInteger),
    Column("bytes", BigInteger),
    Column("sha256", String(64)),
    Column("missing", Boolean, nullable=False),
    # Since when the archive has it, under its hash; null before, and after it was purged.
    Column("archived_at", Float),
    Column("purged_at", Float),
    index_of(ARCHIVED, "ix_outputs_archived", "sha256"),
    index_of(ARCHIVED, "ix_outputs_old_archived", "archived_at"),
)

# What the archive has, by its hash. A row is made before the content is there and goes with the content, in
# one transaction: so whoever keeps something can tell whether it was removed under its hands.
archived = Table(
    "archived",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("wanted_at", Float, nullable=False),
)

# A line of waiting hand-offs each: what one tenant is owed at one destination. Made by whoever submits.
lanes = Table(
    "lanes",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("destination", String(100), nullable=False),
)

hand_offs = Table(
    "hand_offs",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("output_index", Integer),
    Column("outcome", String(32)),
    Column("destination", String(100), nullable=False),
    Column("lane", ForeignKey("lanes.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("due_at", Float),
    Column("leased_by", String(64)),
    Column("lease_until", Float),
    Column("fence", Integer, nullable=False),
    # How often it was delivered as something new: part of the name, so that no receiver takes it for known.
    Column("generation", Integer, nullable=False),
    Column("last_error", Text),
    Column("last_status", Integer),
    Column("last_preview", Text),
    Column("location", Text),
    Column("bytes", BigInteger),
    Column("sha256", String(64)),
    Column("done_at", Float),
    index_of(HAND_OFFS_DUE, "ix_hand_offs_due", "lane", "due_at"),
    index_of(DEAD_LETTERS, "ix_hand_offs_dead", "tenant_id", "destination", "id"),
    # A page of them, the latest first, whatever the destination.
    index_of(DEAD_LETTERS, "ix_hand_offs_latest_dead", "tenant_id", "id"),
    # The jobs that have one, in their order.
    index_of(DEAD_LETTERS, "ix_hand_offs_jobs_dead", "tenant_id", "job_id"),
    index_of(LEASED, "ix_hand_offs_leased", "leased_by"),
    Index("ix_hand_offs_job_id", "job_id"),
)

# What each attempt at a hand-off led to: the part of a job's timeline that destinations write.
attempts = Table(
    "attempts",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("hand_off_id", ForeignKey("hand_offs.id", ondelete="CASCADE"), nullable=False),
    Column("destination", String(100), nullable=False),
    Column("key", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("began_at", Float, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("result", String(16), nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("preview", Text),
    Index("ix_attempts_job_id", "job_id"),
    Index("ix_attempts_hand_off_id", "hand_off_id"),
    Index("ix_attempts_ended_at", "ended_at"),
)

# Only those that failed the last time, or are disabled.
destinations = Table(
    "destinations",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("pause", Float, nullable=False),
    Column("shut_until", Float),
    Column("trying", String(200)),
    Column("reason", Text, nullable=False),
    # It wants nothing any more, until a person enables it.
    Column("disabled_at", Float),
)

# Destinations that were added by command; others are in a file.
configured_destinations = Table(
    "configured_destinations",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("kind", String(64), nullable=False),
    # Everything about it but its secrets, which are one encrypted token.
    Column("settings", JSON, nullable=False),
    Column("secrets", Text),
    Column("changed_at", Float, nullable=False),
)
