"""Faults that jobs met on their way, jobs by their blame, and what of the gateway's words is new."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_BLAMED = sa.text("blame IS NOT NULL")
# What earlier versions left behind, as far as it can still be told.
_UNCERTAIN = """
INSERT INTO faults (job_id, fault, tenant_id, at, last_at, times, evidence, request_id)
SELECT id, 'uncertain_create', tenant_id, state_since, state_since, 1,
       'the answer to the create call was lost', request_id
FROM jobs WHERE blame = 'uncertain_create'
"""
_DEAD = """
INSERT INTO faults (job_id, fault, tenant_id, at, last_at, times, evidence)
SELECT job_id, 'hand_off_failed', min(tenant_id), min(created_at), max(created_at), count(*),
       coalesce(max(last_error), 'given up')
FROM hand_offs WHERE state = 'dead' AND kind <> 'archive' GROUP BY job_id
"""
_MISSING = """
INSERT INTO faults (job_id, fault, tenant_id, at, last_at, times, evidence)
SELECT job_id, 'output_missing', min(tenant_id), min(created_at), max(created_at), count(*),
       coalesce(max(last_error), 'given up')
FROM hand_offs WHERE state IN ('dead', 'missing') AND kind = 'archive' GROUP BY job_id
"""


def upgrade() -> None:
    """Up from the revision before."""
    _faults()
    _drift()
    for name, columns in (
        ("ix_jobs_blamed", ["tenant_id", "blame", "id"]),
        ("ix_jobs_ended_blamed", ["state_since", "tenant_id", "blame"]),
    ):
        op.create_index(name, "jobs", columns, sqlite_where=_BLAMED, postgresql_where=_BLAMED)
    for earlier in (_UNCERTAIN, _DEAD, _MISSING):
        op.execute(earlier)


def _faults() -> None:
    op.create_table(
        "faults",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("fault", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_faults_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "fault", name="pk_faults"),
    )
    op.create_index("ix_faults_tenant_id_fault_job_id", "faults", ["tenant_id", "fault", "job_id"])
    op.create_index("ix_faults_fault_at", "faults", ["fault", "at", "tenant_id"])


def _drift() -> None:
    op.create_table(
        "drift",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("place", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.Float(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("kind", "place", "name", name="pk_drift"),
    )
