"""Batches of jobs, the events of a run, and the stored workflow that a job was made from.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.add_column("jobs", sa.Column("workflow_name", sa.Text))
    op.add_column("job_result", sa.Column("events", sa.LargeBinary))
    is_named = sa.text("workflow_name IS NOT NULL")
    op.create_index(
        "ix_jobs_workflow_name",
        "jobs",
        ["workflow_name", "created_ms", "sequence"],
        sqlite_where=is_named,
        postgresql_where=is_named,
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("workflow_name", sa.Text),
    )
    op.create_table(
        "batch_jobs",
        sa.Column("sequence", sequence, sa.ForeignKey("jobs.sequence"), primary_key=True, autoincrement=False),
        sa.Column("batch_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_index("ix_batch_jobs_batch", "batch_jobs", ["batch_id", "position"])


def downgrade() -> None:
    op.drop_table("batch_jobs")
    op.drop_table("batches")
    op.drop_index("ix_jobs_workflow_name", "jobs")
    op.drop_column("job_result", "events")
    op.drop_column("jobs", "workflow_name")
