"""The API: keys, tokens, events, idempotency, end users; accounts with secrets of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

REFERRED = sa.text("reference IS NOT NULL")
FOR_SOMEBODY = sa.text("end_user IS NOT NULL")
DEAD_LETTERS = sa.text("state = 'dead'")
FIRST_EVENTS = sa.text("seq = 1")
RETRIES = sa.text("retry_of IS NOT NULL")
NOT_REMOVED = sa.text("removed_at IS NULL")


def upgrade() -> None:
    """Up from the revision before."""
    _tenants_and_accounts()
    _jobs()
    _events()
    _keys_and_tokens()
    _idempotency()


def _tenants_and_accounts() -> None:
    op.add_column("tenants", sa.Column("allowed_origins", sa.JSON(), nullable=True))
    op.add_column("tenants", sa.Column("requests_per_minute", sa.Integer(), nullable=True))
    op.add_column("accounts", sa.Column("base_url", sa.String(length=500), nullable=True))
    op.add_column("accounts", sa.Column("secrets", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("webhook_endpoint_id", sa.String(length=64), nullable=True))
    op.add_column("accounts", sa.Column("changed_at", sa.Float(), nullable=True))
    op.add_column("accounts", sa.Column("removed_at", sa.Float(), nullable=True))
    _index("ix_accounts_live", "accounts", ["tenant_id", "name"], NOT_REMOVED, unique=True)


def _jobs() -> None:
    op.add_column("jobs", sa.Column("end_user", sa.String(length=200), nullable=True))
    op.add_column("jobs", sa.Column("retry_of", sa.String(length=64), nullable=True))
    op.add_column("jobs", sa.Column("traceparent", sa.String(length=55), nullable=True))
    op.drop_index("ix_jobs_tenant_id_reference", "jobs")
    op.create_index("ix_jobs_tenant_id_id", "jobs", ["tenant_id", "id"])
    op.create_index("ix_jobs_tenant_id_state_id", "jobs", ["tenant_id", "state", "id"])
    _index("ix_jobs_reference", "jobs", ["tenant_id", "reference", "id"], REFERRED)
    _index("ix_jobs_end_user", "jobs", ["tenant_id", "end_user", "id"], FOR_SOMEBODY)
    _index("ix_jobs_retry_of", "jobs", ["retry_of"], RETRIES)
    _index("ix_hand_offs_latest_dead", "hand_offs", ["tenant_id", "id"], DEAD_LETTERS)


def _index(name: str, table: str, columns: list[str], where: sa.TextClause, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("end_user", sa.String(length=200), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_events_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "seq", name="pk_events"),
    )
    op.create_index("ix_events_position", "events", ["position", "job_id", "seq"])
    op.create_index("ix_events_tenant_id_position", "events", ["tenant_id", "position", "job_id", "seq"])
    _index("ix_events_first", "events", ["at"], FIRST_EVENTS)
    _index(
        "ix_events_end_user", "events", ["tenant_id", "end_user", "position", "job_id", "seq"], FOR_SOMEBODY
    )


def _keys_and_tokens() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_api_keys_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_tenant_id", "api_keys", ["tenant_id"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=True),
        sa.Column("end_user", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_tokens_tenant_id"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_tokens_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
    for column in ("expires_at", "job_id"):
        op.create_index(f"ix_tokens_{column}", "tokens", [column])


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("job_ids", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_idempotency_tenant_id"),
        sa.PrimaryKeyConstraint("tenant_id", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"])
