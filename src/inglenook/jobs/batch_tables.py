"""The tables of batches: jobs that were accepted together, from one workflow with many sets of values."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from inglenook.jobs.tables import metadata, sequence_type

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text),
    Column("created_ms", BigInteger, nullable=False),
    # How many jobs it had when it was accepted; old ones may have been removed since.
    Column("count", Integer, nullable=False),
    # Equal for a repeated submission of the same work.
    Column("fingerprint", Text, nullable=False),
    Column("workflow_name", Text),
)

batch_jobs = Table(
    "batch_jobs",
    metadata,
    Column("sequence", sequence_type, ForeignKey("jobs.sequence"), primary_key=True, autoincrement=False),
    Column("batch_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
)

Index("ix_batch_jobs_batch", batch_jobs.c.batch_id, batch_jobs.c.position)
