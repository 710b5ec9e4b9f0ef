"""What a worker has leased is found without reading all rows."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

LEASED = sa.text("leased_by IS NOT NULL")


def upgrade() -> None:
    """Up from the revision before."""
    for table in ("jobs", "hand_offs"):
        op.create_index(
            f"ix_{table}_leased", table, ["leased_by"], sqlite_where=LEASED, postgresql_where=LEASED
        )
