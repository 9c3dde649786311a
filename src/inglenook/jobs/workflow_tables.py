"""The tables of the workflow library, in the database of the jobs: one writer, one migration path."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from inglenook.jobs.tables import metadata

workflows = Table(
    "workflows",
    metadata,
    Column("id", Text, primary_key=True),
    # The id of the user; `default` on a server that does not tell its users apart.
    Column("owner", Text, nullable=False),
    # As users see it: `portrait.json`.
    Column("name", Text, nullable=False),
    # The newest one, which is meant where none is named.
    Column("version", Integer, nullable=False),
    Column("description", Text, nullable=False),
    # A JSON list of texts.
    Column("tags", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    # A JSON list of the ids of its last jobs, the newest first.
    Column("runs", Text, nullable=False),
)

Index("ix_workflows_owner_name", workflows.c.owner, workflows.c.name, unique=True)


def _workflow_key() -> Column[str]:
    return Column("workflow_id", Text, ForeignKey("workflows.id"), primary_key=True)


workflow_versions = Table(
    "workflow_versions",
    metadata,
    _workflow_key(),
    Column("version", Integer, primary_key=True, autoincrement=False),
    # `api` or `ui`.
    Column("format", Text, nullable=False),
    # JSON, compressed where that helps.
    Column("document", LargeBinary, nullable=False),
    # SHA-256 of the JSON.
    Column("digest", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    # How it came about: `upload`, `update`, `copy`, `restore 3`.
    Column("origin", Text, nullable=False),
)

workflow_thumbnails = Table(
    "workflow_thumbnails",
    metadata,
    _workflow_key(),
    # The run that it shows.
    Column("job_id", Text, nullable=False),
    # A WebP file.
    Column("image", LargeBinary, nullable=False),
)
