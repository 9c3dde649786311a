"""Listings find their pages in memory: the indexes that they needed go, one of states stays; one for deliveries.

Revision ID: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"

_created = ["removed", "created_ms", "sequence"]
_duration = ["removed", "duration_ms", "sequence"]
_partial = {
    "ix_jobs_workflow": ["workflow_id", "state", *_created, "user_id"],
    "ix_jobs_workflow_name": ["workflow_name", "created_ms", "sequence"],
    "ix_jobs_user_created": ["user_id", "state", *_created],
    "ix_jobs_user_duration": ["user_id", "state", *_duration],
}


def upgrade() -> None:
    for old in ("ix_jobs_created", "ix_jobs_state_created", "ix_jobs_state_duration", *_partial):
        op.drop_index(old, "jobs")
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index("ix_webhook_deliveries_listed", "webhook_deliveries", ["sequence", "state", "user_id", "event"])


def downgrade() -> None:
    op.drop_index("ix_webhook_deliveries_listed", "webhook_deliveries")
    op.drop_index("ix_jobs_state", "jobs")
    op.create_index("ix_jobs_created", "jobs", _created)
    op.create_index("ix_jobs_state_created", "jobs", ["state", *_created])
    op.create_index("ix_jobs_state_duration", "jobs", ["state", *_duration])
    for name, columns in _partial.items():
        condition = sa.text(f"{columns[0]} IS NOT NULL")
        op.create_index(name, "jobs", columns, sqlite_where=condition, postgresql_where=condition)
