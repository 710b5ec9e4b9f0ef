"""Who may ask: tenants, the gateway accounts they pay with, and what lets somebody in."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from orchestrator.store.schema.base import index_of, metadata

NOT_REMOVED = text("removed_at IS NULL")

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    # Why no job of this tenant is created at the moment, and until when nobody need ask again.
    Column("held_reason", Text),
    Column("held_until", Float),
    # Null: as the settings say; 0: none.
    Column("max_open_jobs", Integer),
    Column("spend_cap_usd", Float),
    # How many further creates fit by the last count, and until when that is believed.
    Column("free_places", Integer),
    Column("counted_until", Float),
    # Pages of these origins may use come-back tokens of this tenant; null: of none.
    Column("allowed_origins", JSON(none_as_null=True)),
    # Null: as the settings say; 0: any number.
    Column("requests_per_minute", Integer),
    # Looks a second: null, as the settings say; 0: any number. What is left of them, as of a moment.
    Column("looks_per_second", Float),
    Column("looks_left", Float),
    Column("looks_left_at", Float),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(200), nullable=False),
    # Null: as the settings say, which only the default account may.
    Column("base_url", String(500)),
    # The gateway's key and the signing secrets, as one encrypted token.
    Column("secrets", Text),
    Column("webhook_endpoint_id", String(64)),
    Column("changed_at", Float),
    # Since when it is there for the jobs alone that were made with it.
    Column("removed_at", Float),
    # A tenant's accounts have names of their own.
    index_of(NOT_REMOVED, "ix_accounts_live", "tenant_id", "name", unique=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("name", String(200), nullable=False),
    # SHA-256 of the secret part, which nobody keeps.
    Column("digest", LargeBinary, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("last_used_at", Float),
    Index("ix_api_keys_tenant_id", "tenant_id"),
)

# Come-back tokens: each lets a browser follow one job, or the jobs of one end user.
tokens = Table(
    "tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE")),
    Column("end_user", String(200)),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index("ix_tokens_expires_at", "expires_at"),
    Index("ix_tokens_job_id", "job_id"),
)

# Sessions of browsers in which somebody signed in with a key.
sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key_id", ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index("ix_sessions_expires_at", "expires_at"),
    Index("ix_sessions_key_id", "key_id"),
)

# What each Idempotency-Key was used for, so that the same request makes nothing twice.
idempotency = Table(
    "idempotency",
    metadata,
    Column("tenant_id", ForeignKey("tenants.id"), primary_key=True),
    Column("key", String(255), primary_key=True),
    # SHA-256 of what was asked.
    Column("fingerprint", String(64), nullable=False),
    Column("job_ids", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("ix_idempotency_created_at", "created_at"),
)
