"""For whoever settles uncertain creates: what was searched for them, and which there are."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

UNCERTAIN = sa.text("state = 'uncertain'")


def upgrade() -> None:
    """Up from the revision before."""
    op.create_table(
        "searches",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("searched_at", sa.Float(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=True),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("strangers", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_searches_account_id"),
        sa.PrimaryKeyConstraint("account_id", name="pk_searches"),
    )
    op.create_index("ix_jobs_uncertain", "jobs", ["id"], sqlite_where=UNCERTAIN, postgresql_where=UNCERTAIN)
