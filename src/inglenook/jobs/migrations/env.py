"""Run by alembic for each command: uses the connection and the transaction that `jobs/schema.py` hands over.

A new step is a file `versions/NNNN_what_it_does.py` with the change that was made to `jobs/tables.py`, whose `REVISION`
then is NNNN; `tests/jobs/test_schema.py` compares the two ways to the same tables.
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
