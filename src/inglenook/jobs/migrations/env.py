"""Run by alembic for each command: uses the connection and the transaction that `jobs/schema.py` hands over.

By hand, to write a new step: see `docs/architecture.md`.
"""

from __future__ import annotations

from alembic import context

from inglenook.jobs.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
