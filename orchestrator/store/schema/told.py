"""What the gateway told, unasked or asked, and what of it nobody foresaw."""

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
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from orchestrator.store.schema.base import NUMBER, index_of, metadata

_UNMATCHED = text("state = 'waiting'")

inbox = Table(
    "inbox",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("event_key", String(300), nullable=False),
    Column("type", String(100), nullable=False),
    Column("gateway_id", String(128), nullable=False),
    Column("session_id", String(128)),
    Column("job_id", String(64)),
    Column("state", String(16), nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("last_received_at", Float, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("account_id", "event_key"),
    Index("ix_inbox_account_id_gateway_id", "account_id", "gateway_id"),
    Index("ix_inbox_account_id_session_id", "account_id", "session_id"),
    Index("ix_inbox_last_received_at", "last_received_at"),
    # Believed, and not brought to a job: the sweep tries again.
    index_of(_UNMATCHED, "ix_inbox_unmatched", "last_received_at"),
)

rejections = Table(
    "rejections",
    metadata,
    Column("id", NUMBER, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("truncated", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

# What the latest search for uncertain creates met at each account.
searches = Table(
    "searches",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
    Column("searched_at", Float, nullable=False),
    Column("listed", Integer),
    Column("whole", Boolean, nullable=False),
    Column("problem", Text),
    Column("strangers", JSON, nullable=False),
)

# What the gateway said that its contract does not foresee: a row for each word, however often it came.
drift = Table(
    "drift",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("place", String(32), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("times", BigInteger, nullable=False),
    Column("first_at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("sample", Text),
    Column("request_id", String(128)),
)
