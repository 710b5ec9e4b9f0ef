"""For web processes that hand off what they owe themselves: they beat, and take no messages."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Up from the revision before."""
    takes: sa.Column[bool] = sa.Column(
        "takes_messages", sa.Boolean(), server_default=sa.true(), nullable=False
    )
    op.add_column("workers", takes)
