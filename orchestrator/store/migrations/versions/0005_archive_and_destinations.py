"""Outputs go through the archive; hand-offs wait in lanes; every attempt is kept; destinations by command."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

DUE = sa.text("state = 'owed' AND due_at IS NOT NULL")
DEAD = sa.text("state = 'dead'")
ARCHIVED = sa.text("archived_at IS NOT NULL")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Up from the revision before."""
    _tables()
    _outputs()
    _hand_offs()
    _through_the_archive()
    op.add_column("destinations", sa.Column("disabled_at", sa.Float(), nullable=True))


def _tables() -> None:
    op.create_table(
        "archived",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("wanted_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_archived"),
    )
    op.create_table(
        "lanes",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_lanes_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_lanes"),
    )
    op.create_table(
        "configured_destinations",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_configured_destinations"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("hand_off_id", NUMBER, nullable=False),
        sa.Column("destination", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("preview", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_attempts_job_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["hand_off_id"], ["hand_offs.id"], name="fk_attempts_hand_off_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    for column in ("job_id", "hand_off_id", "ended_at"):
        op.create_index(f"ix_attempts_{column}", "attempts", [column])


def _outputs() -> None:
    op.add_column("outputs", sa.Column("archived_at", sa.Float(), nullable=True))
    op.add_column("outputs", sa.Column("purged_at", sa.Float(), nullable=True))
    for name, column in (("ix_outputs_archived", "sha256"), ("ix_outputs_old_archived", "archived_at")):
        op.create_index(name, "outputs", [column], sqlite_where=ARCHIVED, postgresql_where=ARCHIVED)


def _hand_offs() -> None:
    """A lane for each line of what is owed, and for each that a job still open may need."""
    op.drop_index("ix_hand_offs_due", "hand_offs")
    connection = op.get_bind()
    kept = connection.execute(
        sa.text("SELECT DISTINCT tenant_id, CAST(destinations AS TEXT) AS names FROM jobs")
    ).all()
    lanes = {(row.tenant_id, name) for row in kept for name in ("archive", *json.loads(row.names))}
    owed = connection.execute(sa.text("SELECT DISTINCT tenant_id, destination FROM hand_offs")).all()
    lanes |= {(row.tenant_id, row.destination) for row in owed}
    table = sa.table("lanes", sa.column("id"), sa.column("tenant_id"), sa.column("destination"))
    rows = [
        {"id": f"{tenant}/{name}", "tenant_id": tenant, "destination": name} for tenant, name in sorted(lanes)
    ]
    if rows:
        op.bulk_insert(table, rows)
    op.add_column("hand_offs", sa.Column("lane", sa.String(length=200), nullable=True))
    op.add_column("hand_offs", sa.Column("generation", sa.Integer(), nullable=True))
    op.add_column("hand_offs", sa.Column("last_status", sa.Integer(), nullable=True))
    op.add_column("hand_offs", sa.Column("last_preview", sa.Text(), nullable=True))
    op.execute("UPDATE hand_offs SET lane = tenant_id || '/' || destination, generation = 0")
    with op.batch_alter_table("hand_offs") as altered:
        altered.alter_column("lane", existing_type=sa.String(length=200), nullable=False)
        altered.alter_column("generation", existing_type=sa.Integer(), nullable=False)
        altered.create_foreign_key("fk_hand_offs_lane", "lanes", ["lane"], ["id"])
    op.create_index(
        "ix_hand_offs_due", "hand_offs", ["lane", "due_at"], sqlite_where=DUE, postgresql_where=DUE
    )
    op.create_index(
        "ix_hand_offs_dead",
        "hand_offs",
        ["tenant_id", "destination", "id"],
        sqlite_where=DEAD,
        postgresql_where=DEAD,
    )


def _through_the_archive() -> None:
    """What is still owed waits for the archive, which is owed it first."""
    op.execute(
        "INSERT INTO hand_offs (key, tenant_id, job_id, kind, output_index, destination, lane, state, "
        "attempts, created_at, due_at, fence, generation) "
        "SELECT job_id || '/' || output_index || '/archive', tenant_id, job_id, 'archive', output_index, "
        "'archive', tenant_id || '/archive', 'owed', 0, min(created_at), min(created_at), 0, 0 "
        "FROM hand_offs WHERE state = 'owed' AND kind = 'output' GROUP BY job_id, output_index, tenant_id"
    )
    op.execute(
        "UPDATE hand_offs SET due_at = NULL, leased_by = NULL, lease_until = NULL, fence = fence + 1 "
        "WHERE state = 'owed' AND kind = 'output'"
    )
