"""Jobs."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from orchestrator.store.schema.base import FOR_SOMEBODY, LEASED, index_of, metadata

# What waits for one kind of work.
CREATES_DUE = text("state = 'accepted' AND due_at IS NOT NULL")
LOOKS_DUE = text("state NOT IN ('accepted', 'creating') AND due_at IS NOT NULL")
# Every deadline is later than that: said so that no planner takes this index for creates that are due.
DEADLINES = text("state = 'accepted' AND deadline_at > 0")
_CREATING = text("state = 'creating'")  # few at any time, however many jobs there are
_UNCERTAIN = text("state = 'uncertain'")  # likewise
# What a tenant's jobs cost, as far as it is known, and those whose cost is still to be told.
SPENT = text("(cost_usd IS NOT NULL OR state = 'completed')")
REFERRED = text("reference IS NOT NULL")
RETRIES = text("retry_of IS NOT NULL")
BLAMED = text("blame IS NOT NULL")

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant_id", ForeignKey("tenants.id"), nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("reference", String(200)),
    # For whom a product has it made, by the product's own id.
    Column("end_user", String(200)),
    Column("retry_of", String(64)),
    Column("traceparent", String(55)),
    Column("metadata", JSON, nullable=False),
    Column("request", JSON, nullable=False),
    Column("updates", String(16), nullable=False),
    Column("destinations", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_since", Float, nullable=False),
    # One create attempt each: sent as x-session-id, comes back in webhooks and snapshots.
    Column("session_id", String(128), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("without_webhook", Boolean, nullable=False),
    Column("gateway_id", String(128)),
    Column("gateway_status", String(64)),
    Column("provider", String(100)),
    Column("model", String(200)),
    Column("progress", Integer, nullable=False),
    Column("failure", JSON(none_as_null=True)),
    Column("blame", String(32)),
    Column("request_id", String(128)),
    Column("cost_usd", Float),
    Column("suspicion", String(32)),
    Column("won_by", String(16)),
    Column("looks", Integer, nullable=False),
    Column("look_errors", Integer, nullable=False),
    Column("look_error", Text),
    Column("webhooks", Integer, nullable=False),
    Column("clashes", Integer, nullable=False),
    # Looks that may still be spent on a settled job, to learn its outputs or its reason.
    Column("detail_tries", Integer, nullable=False),
    Column("needs_person", Boolean, nullable=False),
    # A create was risked again although an earlier one may have made a job: done by itself once only.
    Column("resubmitted", Boolean, nullable=False),
    # A person said which gateway job this is, and the gateway has not said a word about it yet.
    Column("unconfirmed", Boolean, nullable=False),
    Column("cancel_requested_at", Float),
    Column("poll_after", Float),
    Column("last_look_at", Float),
    Column("accepted_at", Float, nullable=False),
    Column("created_at", Float),
    Column("settled_at", Float),
    Column("deadline_at", Float, nullable=False),
    # When somebody must act on this job next; what to do follows from the state.
    Column("due_at", Float),
    Column("leased_by", String(64)),
    Column("lease_until", Float),
    Column("fence", Integer, nullable=False),
    Column("next_seq", Integer, nullable=False),
    # Whether the gateway was asked to call; null where nobody knows any more.
    Column("hooked", Boolean),
    # When a webhook first told the end, and whether one counted as missed before that.
    Column("hook_at", Float),
    Column("hook_missed", Boolean, nullable=False, default=False),
    # When a look last saw it running.
    Column("seen_running_at", Float),
    # Jobs that are alike, for learning when they end.
    Column("ending_class", String(200)),
    UniqueConstraint("account_id", "gateway_id"),
    UniqueConstraint("session_id"),
    index_of(CREATES_DUE, "ix_jobs_creates_due", "tenant_id", "due_at"),
    index_of(LOOKS_DUE, "ix_jobs_looks_due", "tenant_id", "due_at"),
    # With all that the sum reads, the state too, so that it need not visit the rows themselves.
    index_of(SPENT, "ix_jobs_spent", "tenant_id", "accepted_at", "cost_usd", "state"),
    index_of(DEADLINES, "ix_jobs_accepted", "deadline_at"),
    index_of(_CREATING, "ix_jobs_creating", "id"),
    index_of(_UNCERTAIN, "ix_jobs_uncertain", "id"),
    index_of(LEASED, "ix_jobs_leased", "leased_by"),
    Index("ix_jobs_tenant_id_accepted_at", "tenant_id", "accepted_at"),
    # Ids sort by time: each of these is a list in its order, whatever the page.
    Index("ix_jobs_tenant_id_id", "tenant_id", "id"),
    Index("ix_jobs_tenant_id_state_id", "tenant_id", "state", "id"),
    index_of(REFERRED, "ix_jobs_reference", "tenant_id", "reference", "id"),
    index_of(FOR_SOMEBODY, "ix_jobs_end_user", "tenant_id", "end_user", "id"),
    index_of(RETRIES, "ix_jobs_retry_of", "retry_of"),
    index_of(BLAMED, "ix_jobs_blamed", "tenant_id", "blame", "id"),
    index_of(BLAMED, "ix_jobs_ended_blamed", "state_since", "tenant_id", "blame"),
)
