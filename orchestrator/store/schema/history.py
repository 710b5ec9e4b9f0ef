"""What happened to a job, as it is told again: to people, to followers, and to whoever blames."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text, text

from orchestrator.store.schema.base import FOR_SOMEBODY, NUMBER, index_of, metadata

FIRST_EVENTS = text("seq = 1")

observations = Table(
    "observations",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("source", String(16), nullable=False),
    Column("seen", String(32), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("from_state", String(16), nullable=False),
    Column("to_state", String(16), nullable=False),
    Column("status", String(64)),
    Column("progress", Integer),
    Column("failure", JSON(none_as_null=True)),
    Column("request_id", String(128)),
    Column("note", Text),
    Column("inbox_id", NUMBER),
    Column("raw", Text),
    Index("ix_observations_at", "at"),
)

# What is told of a job to whoever follows it: history that can be read again from any point.
events = Table(
    "events",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    Column("end_user", String(200)),
    # The order of all events: the transaction that wrote it, and never before the event of the same job.
    Column("position", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("type", String(32), nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_events_position", "position", "job_id", "seq"),
    Index("ix_events_tenant_id_position", "tenant_id", "position", "job_id", "seq"),
    # One for each job whose events are still all there.
    index_of(FIRST_EVENTS, "ix_events_first", "at"),
    index_of(FOR_SOMEBODY, "ix_events_end_user", "tenant_id", "end_user", "position", "job_id", "seq"),
)

# Faults that jobs met on their way. How a job ended is in its own row, and its evidence with it.
faults = Table(
    "faults",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("fault", String(32), primary_key=True),
    Column("tenant_id", String(64), nullable=False),
    # When it was met first and last, and how often; the evidence is the latest.
    Column("at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("times", Integer, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("request_id", String(128)),
    Index("ix_faults_tenant_id_fault_job_id", "tenant_id", "fault", "job_id"),
    Index("ix_faults_fault_at", "fault", "at", "tenant_id"),
)
