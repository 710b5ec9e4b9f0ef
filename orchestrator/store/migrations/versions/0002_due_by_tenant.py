"""Due work by tenant, tenants that can be held, and webhooks that wait for their job by age."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

DUE = (
    ("ix_jobs_creates_due", "jobs", "state = 'accepted' AND due_at IS NOT NULL"),
    ("ix_jobs_looks_due", "jobs", "state NOT IN ('accepted', 'creating') AND due_at IS NOT NULL"),
    ("ix_hand_offs_due", "hand_offs", "state = 'owed' AND due_at IS NOT NULL"),
)


def upgrade() -> None:
    """Up from the revision before."""
    op.add_column("tenants", sa.Column("held_reason", sa.Text(), nullable=True))
    op.add_column("tenants", sa.Column("held_until", sa.Float(), nullable=True))

    op.drop_index("ix_hand_offs_due", "hand_offs")
    op.drop_index("ix_jobs_due", "jobs")
    op.add_column("hand_offs", sa.Column("tenant_id", sa.String(length=64), nullable=True))
    op.execute(
        "UPDATE hand_offs SET tenant_id = (SELECT tenant_id FROM jobs WHERE jobs.id = hand_offs.job_id)"
    )
    with op.batch_alter_table("hand_offs") as table:
        table.alter_column("tenant_id", existing_type=sa.String(length=64), nullable=False)
        table.create_foreign_key("fk_hand_offs_tenant_id", "tenants", ["tenant_id"], ["id"])

    for name, table_name, rows in DUE:
        where = sa.text(rows)
        op.create_index(name, table_name, ["tenant_id", "due_at"], sqlite_where=where, postgresql_where=where)
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_inbox_unmatched", "inbox", ["last_received_at"], sqlite_where=waiting, postgresql_where=waiting
    )
