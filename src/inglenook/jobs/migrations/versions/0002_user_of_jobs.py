"""Whose job it is, results as they are shown, and an index for each listing.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

_created = ["removed", "created_ms", "sequence"]
_duration = ["removed", "duration_ms", "sequence"]


def upgrade() -> None:
    op.add_column("jobs", sa.Column("user_id", sa.Text))
    op.add_column("jobs", sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("job_result", sa.Column("shown", sa.LargeBinary))
    jobs = sa.table("jobs", sa.column("removed"), sa.column("in_history"), sa.column("end_order"))
    never_ran = (jobs.c.in_history == sa.false(), jobs.c.end_order.is_not(None))
    op.execute(jobs.update().where(*never_ran).values(removed=sa.true()))
    for old in ("ix_jobs_created", "ix_jobs_state_created", "ix_jobs_duration", "ix_jobs_workflow"):
        op.drop_index(old, "jobs")
    op.create_index("ix_jobs_created", "jobs", _created)
    op.create_index("ix_jobs_state_created", "jobs", ["state", *_created])
    op.create_index("ix_jobs_state_duration", "jobs", ["state", *_duration])
    _partial_index("ix_jobs_workflow", ["workflow_id", "state", *_created, "user_id"])
    _partial_index("ix_jobs_user_created", ["user_id", "state", *_created])
    _partial_index("ix_jobs_user_duration", ["user_id", "state", *_duration])
    _partial_index("ix_jobs_user_ended", ["user_id", "in_history", "end_order"])


def _partial_index(name: str, columns: list[str]) -> None:
    """An index of the jobs that have a value in its first column."""
    condition = sa.text(f"{columns[0]} IS NOT NULL")
    op.create_index(name, "jobs", columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for new in (
        "user_created",
        "user_duration",
        "user_ended",
        "workflow",
        "state_duration",
        "state_created",
        "created",
    ):
        op.drop_index(f"ix_jobs_{new}", "jobs")
    op.drop_column("job_result", "shown")
    op.drop_column("jobs", "removed")
    op.drop_column("jobs", "user_id")
    op.create_index("ix_jobs_created", "jobs", ["created_ms", "sequence"])
    op.create_index("ix_jobs_state_created", "jobs", ["state", "created_ms", "sequence"])
    op.create_index("ix_jobs_duration", "jobs", ["duration_ms", "sequence"])
    _partial_index("ix_jobs_workflow", ["workflow_id", "created_ms"])
