"""Limits of a tenant, what its jobs cost, accepted jobs by deadline, and destinations that fail."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SPENT = "(cost_usd IS NOT NULL OR state = 'completed')"
INDEXES = (
    ("ix_jobs_spent", ["tenant_id", "accepted_at", "cost_usd", "state"], SPENT),
    ("ix_jobs_accepted", ["deadline_at"], "state = 'accepted' AND deadline_at > 0"),
)


def upgrade() -> None:
    """Up from the revision before."""
    op.add_column("tenants", sa.Column("max_open_jobs", sa.Integer(), nullable=True))
    op.add_column("tenants", sa.Column("spend_cap_usd", sa.Float(), nullable=True))
    op.add_column("tenants", sa.Column("free_places", sa.Integer(), nullable=True))
    op.add_column("tenants", sa.Column("counted_until", sa.Float(), nullable=True))
    for name, columns, rows in INDEXES:
        where = sa.text(rows)
        op.create_index(name, "jobs", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "destinations",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("pause", sa.Float(), nullable=False),
        sa.Column("shut_until", sa.Float(), nullable=True),
        sa.Column("trying", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_destinations"),
    )
