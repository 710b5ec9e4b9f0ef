"""The learned cadence: what ends of jobs teach, what was learned, and what looking cost."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Up from the revision before."""
    _jobs_and_tenants()
    _lessons()
    _estimates()
    _ledger()


def _jobs_and_tenants() -> None:
    op.add_column("jobs", sa.Column("hooked", sa.Boolean(), nullable=True))
    op.add_column("jobs", sa.Column("hook_at", sa.Float(), nullable=True))
    op.add_column("jobs", sa.Column("hook_missed", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("jobs", sa.Column("seen_running_at", sa.Float(), nullable=True))
    op.add_column("jobs", sa.Column("ending_class", sa.String(length=200), nullable=True))
    for name in ("looks_per_second", "looks_left", "looks_left_at"):
        op.add_column("tenants", sa.Column(name, sa.Float(), nullable=True))


def _lessons() -> None:
    op.create_table(
        "lessons",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_lessons_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_lessons"),
    )
    op.create_index("ix_lessons_due_at", "lessons", ["due_at"])
    op.create_index("ix_lessons_job_id", "lessons", ["job_id"])


def _estimates() -> None:
    op.create_table(
        "estimates",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_estimates"),
    )


def _ledger() -> None:
    sums = ("looks", "lists", "guidance_looks", "lag", "guidance_lag")
    op.create_table(
        "ledger",
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in sums),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("jobs", "awaited", "rescued")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_ledger_tenant_id"),
        sa.PrimaryKeyConstraint("tenant_id", "model", "day", name="pk_ledger"),
    )
