"""The tables. Times are epoch seconds by the database's clock; migrations must agree with this file."""

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
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

_CREATING = text("state = 'creating'")  # few at any time, however many jobs there are
_UNCERTAIN = text("state = 'uncertain'")  # likewise
# What waits for one kind of work. Queries repeat these words, since a partial index serves no others.
CREATES_DUE = text("state = 'accepted' AND due_at IS NOT NULL")
LOOKS_DUE = text("state NOT IN ('accepted', 'creating') AND due_at IS NOT NULL")
HAND_OFFS_DUE = text("state = 'owed' AND due_at IS NOT NULL")
# What a tenant's jobs cost, as far as it is known, and those whose cost is still to be told.
SPENT = text("(cost_usd IS NOT NULL OR state = 'completed')")
_COST = ("tenant_id", "accepted_at", "cost_usd", "state")
# Every deadline is later than that: said so that no planner takes this index for creates that are due.
DEADLINES = text("state = 'accepted' AND deadline_at > 0")
ARCHIVED = text("archived_at IS NOT NULL")
DEAD_LETTERS = text("state = 'dead'")
REFERRED = text("reference IS NOT NULL")
_BY_REFERENCE = ("tenant_id", "reference", "id")
_BY_BLAME = ("tenant_id", "blame", "id")
_ENDED_BLAMED = ("state_since", "tenant_id", "blame")
FOR_SOMEBODY = text("end_user IS NOT NULL")
_BY_END_USER = ("tenant_id", "end_user", "id")
_FOR_END_USER = ("tenant_id", "end_user", "position", "job_id", "seq")
FIRST_EVENTS = text("seq = 1")
RETRIES = text("retry_of IS NOT NULL")
NOT_REMOVED = text("removed_at IS NULL")
BLAMED = text("blame IS NOT NULL")
_UNMATCHED = text("state = 'waiting'")
_LEASED = text("leased_by IS NOT NULL")  # what is being done at this moment
# What is not kept, being known already, uses up a number too: 32 bits would not last.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # whose rowid is an INTEGER, of 64 bits anyway

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

DEFAULT = "default"  # the tenant and the account that the first migration makes

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
    Index(
        "ix_accounts_live",
        "tenant_id",
        "name",
        unique=True,
        sqlite_where=NOT_REMOVED,
        postgresql_where=NOT_REMOVED,
    ),
)

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
    Index(
        "ix_jobs_creates_due", "tenant_id", "due_at", sqlite_where=CREATES_DUE, postgresql_where=CREATES_DUE
    ),
    Index("ix_jobs_looks_due", "tenant_id", "due_at", sqlite_where=LOOKS_DUE, postgresql_where=LOOKS_DUE),
    # With all that the sum reads, the state too, so that it need not visit the rows themselves.
    Index("ix_jobs_spent", *_COST, sqlite_where=SPENT, postgresql_where=SPENT),
    Index("ix_jobs_accepted", "deadline_at", sqlite_where=DEADLINES, postgresql_where=DEADLINES),
    Index("ix_jobs_creating", "id", sqlite_where=_CREATING, postgresql_where=_CREATING),
    Index("ix_jobs_uncertain", "id", sqlite_where=_UNCERTAIN, postgresql_where=_UNCERTAIN),
    Index("ix_jobs_leased", "leased_by", sqlite_where=_LEASED, postgresql_where=_LEASED),
    Index("ix_jobs_tenant_id_accepted_at", "tenant_id", "accepted_at"),
    # Ids sort by time: each of these is a list in its order, whatever the page.
    Index("ix_jobs_tenant_id_id", "tenant_id", "id"),
    Index("ix_jobs_tenant_id_state_id", "tenant_id", "state", "id"),
    Index("ix_jobs_reference", *_BY_REFERENCE, sqlite_where=REFERRED, postgresql_where=REFERRED),
    Index("ix_jobs_end_user", *_BY_END_USER, sqlite_where=FOR_SOMEBODY, postgresql_where=FOR_SOMEBODY),
    Index("ix_jobs_retry_of", "retry_of", sqlite_where=RETRIES, postgresql_where=RETRIES),
    Index("ix_jobs_blamed", *_BY_BLAME, sqlite_where=BLAMED, postgresql_where=BLAMED),
    Index("ix_jobs_ended_blamed", *_ENDED_BLAMED, sqlite_where=BLAMED, postgresql_where=BLAMED),
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
    Index("ix_events_first", "at", sqlite_where=FIRST_EVENTS, postgresql_where=FIRST_EVENTS),
    Index("ix_events_end_user", *_FOR_END_USER, sqlite_where=FOR_SOMEBODY, postgresql_where=FOR_SOMEBODY),
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

# What the ends of jobs taught, until it is folded into the estimates: a row each, so that nobody waits.
lessons = Table(
    "lessons",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
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
    Column("inbox_id", _NUMBER),
    Column("raw", Text),
    Index("ix_observations_at", "at"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
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
    Index("ix_inbox_unmatched", "last_received_at", sqlite_where=_UNMATCHED, postgresql_where=_UNMATCHED),
)

rejections = Table(
    "rejections",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("truncated", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

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
    Index("ix_outputs_archived", "sha256", sqlite_where=ARCHIVED, postgresql_where=ARCHIVED),
    Index("ix_outputs_old_archived", "archived_at", sqlite_where=ARCHIVED, postgresql_where=ARCHIVED),
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
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
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
    Index("ix_hand_offs_due", "lane", "due_at", sqlite_where=HAND_OFFS_DUE, postgresql_where=HAND_OFFS_DUE),
    Index(
        "ix_hand_offs_dead",
        "tenant_id",
        "destination",
        "id",
        sqlite_where=DEAD_LETTERS,
        postgresql_where=DEAD_LETTERS,
    ),
    # A page of them, the latest first, whatever the destination.
    Index(
        "ix_hand_offs_latest_dead",
        "tenant_id",
        "id",
        sqlite_where=DEAD_LETTERS,
        postgresql_where=DEAD_LETTERS,
    ),
    # The jobs that have one, in their order.
    Index(
        "ix_hand_offs_jobs_dead",
        "tenant_id",
        "job_id",
        sqlite_where=DEAD_LETTERS,
        postgresql_where=DEAD_LETTERS,
    ),
    Index("ix_hand_offs_leased", "leased_by", sqlite_where=_LEASED, postgresql_where=_LEASED),
    Index("ix_hand_offs_job_id", "job_id"),
)

# What each attempt at a hand-off led to: the part of a job's timeline that destinations write.
attempts = Table(
    "attempts",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
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

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("host", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("beaten_at", Float, nullable=False),
)

pulses = Table(
    "pulses",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("at", Float, nullable=False),
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
