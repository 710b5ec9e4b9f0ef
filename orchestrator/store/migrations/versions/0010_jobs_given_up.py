"""For whoever looks for jobs: those with a hand-off that was given up, in the order of their ids."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

DEAD = sa.text("state = 'dead'")


def upgrade() -> None:
    """Up from the revision before."""
    op.create_index(
        "ix_hand_offs_jobs_dead",
        "hand_offs",
        ["tenant_id", "job_id"],
        sqlite_where=DEAD,
        postgresql_where=DEAD,
    )
