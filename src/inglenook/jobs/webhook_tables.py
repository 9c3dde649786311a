"""The tables of webhooks: who wants to hear of a job, and what is to be delivered or was.

A registration lasts until the end of its job; what it asked for is then a delivery, written in the transaction of that
end. Deliveries name their job, but do not need it: they outlive its place in the history.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from inglenook.jobs.tables import metadata, sequence_type

webhooks = Table(
    "webhooks",
    metadata,
    Column("sequence", sequence_type, primary_key=True, autoincrement=True),
    # Empty: every job.
    Column("job_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    # Comma-separated names.
    Column("events", Text, nullable=False),
    # What its deliveries are signed with; NULL takes the one of the settings.
    Column("secret", Text),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("sequence", sequence_type, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("job_id", Text, nullable=False),
    Column("user_id", Text),
    Column("event", Text, nullable=False),
    Column("url", Text, nullable=False),
    # Scheme, name and port of the URL: no receiver gets more than its share of the connections.
    Column("origin", Text, nullable=False),
    # 1 where the settings ask for it, 0 where a task did.
    Column("is_standing", Integer, nullable=False),
    Column("secret", Text),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    # When to try (again); NULL when that is over.
    Column("next_ms", BigInteger),
    Column("last_ms", BigInteger),
    Column("status_code", Integer),
    Column("error", Text),
    sqlite_autoincrement=True,
)

_deliveries = webhook_deliveries.c
Index("ix_webhooks_job", webhooks.c.job_id)
Index("ix_webhook_deliveries_due", _deliveries.next_ms, _deliveries.sequence)
Index("ix_webhook_deliveries_job", _deliveries.job_id)
# What lists are filtered by, without the bodies.
Index("ix_webhook_deliveries_listed", _deliveries.sequence, _deliveries.state, _deliveries.user_id, _deliveries.event)
