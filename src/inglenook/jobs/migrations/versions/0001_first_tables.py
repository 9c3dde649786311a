"""The first tables.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

_sequence = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _job_key() -> sa.Column[int]:
    return sa.Column("sequence", _sequence, sa.ForeignKey("jobs.sequence"), primary_key=True, autoincrement=False)


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("sequence", _sequence, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("priority", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Float(53), nullable=False),
        sa.Column("number_is_int", sa.Boolean, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("client_id", sa.Text),
        sa.Column("workflow_id", sa.Text),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("timeout_s", sa.Float(53)),
        sa.Column("server_deaths", sa.Integer, nullable=False),
        sa.Column("worker_deaths", sa.Integer, nullable=False),
        sa.Column("end_order", sa.BigInteger),
        sa.Column("in_history", sa.Boolean, nullable=False),
    )
    op.create_index("ix_jobs_created", "jobs", ["created_ms", "sequence"])
    op.create_index("ix_jobs_state_created", "jobs", ["state", "created_ms", "sequence"])
    op.create_index("ix_jobs_duration", "jobs", ["duration_ms", "sequence"])
    with_workflow = sa.text("workflow_id IS NOT NULL")
    op.create_index(
        "ix_jobs_workflow",
        "jobs",
        ["workflow_id", "created_ms"],
        sqlite_where=with_workflow,
        postgresql_where=with_workflow,
    )
    ended = sa.text("end_order IS NOT NULL")
    op.create_index("ix_jobs_ended", "jobs", ["in_history", "end_order"], sqlite_where=ended, postgresql_where=ended)
    op.create_table(
        "job_body",
        _job_key(),
        sa.Column("graph", sa.LargeBinary, nullable=False),
        sa.Column("extra_data", sa.LargeBinary, nullable=False),
        sa.Column("targets", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "job_result",
        _job_key(),
        sa.Column("outputs", sa.LargeBinary, nullable=False),
        sa.Column("meta", sa.LargeBinary, nullable=False),
        sa.Column("messages", sa.LargeBinary, nullable=False),
        sa.Column("error", sa.LargeBinary),
    )
    op.create_table(
        "outputs",
        _job_key(),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("node_id", sa.Text, nullable=False),
        sa.Column("media_key", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("subfolder", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counters, [{"name": "highest_removed_number", "value": -1}])


def downgrade() -> None:
    for table in ("counters", "outputs", "job_result", "job_body", "jobs"):
        op.drop_table(table)
