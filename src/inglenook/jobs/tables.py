"""The tables of the job store. A change here needs a migration and a new `REVISION`.

`jobs` holds what is filtered, sorted and updated, in rows of about 200 bytes; everything large lies beside it, written
once. All of it is keyed by `sequence`, the order of arrival, so that new rows go to the end of each table.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
)

REVISION = "0009"
"""Newest migration; a database that is stamped with it needs none."""

metadata = MetaData()

sequence_type = BigInteger().with_variant(Integer, "sqlite")
"""SQLite keys a table by an INTEGER PRIMARY KEY itself, by any other type through an index."""

jobs = Table(
    "jobs",
    metadata,
    Column("sequence", sequence_type, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("priority", BigInteger, nullable=False),
    Column("number", Float(53), nullable=False),
    Column("number_is_int", Boolean, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("client_id", Text),
    Column("workflow_id", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    # From the start of the last attempt to the end; 0 for jobs that never ran, so that they can be sorted by it.
    Column("duration_ms", BigInteger, nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("worker", Text),
    Column("timeout_s", Float(53)),
    Column("server_deaths", Integer, nullable=False),
    Column("worker_deaths", Integer, nullable=False),
    # Order of completion over all jobs, set at the end.
    Column("end_order", BigInteger),
    # False for jobs that have not ended, and for those that were cancelled before they ran.
    Column("in_history", Boolean, nullable=False),
    # Whose job it is; NULL on a server that does not tell its users apart.
    Column("user_id", Text),
    # True for jobs that were cancelled before they ran.
    Column("removed", Boolean, nullable=False, server_default=false()),
    # Name of the stored workflow that it was made from.
    Column("workflow_name", Text),
    # Where the latest attempt was sent on another server, see `job.Errand`; NULL for what runs here, and after the end.
    Column("errand_worker", Text),
    Column("errand_prompt_id", Text),
    Column("errand_client_id", Text),
)

# Listings find their pages in memory (`job_index.py`). Here is what waits and runs, and the history in its order.
Index("ix_jobs_state", jobs.c.state)
Index("ix_jobs_ended", jobs.c.in_history, jobs.c.end_order, sqlite_where=jobs.c.end_order.is_not(None))
# Empty, and so for nothing, on a server that does not tell its users apart.
Index(
    "ix_jobs_user_ended",
    jobs.c.user_id,
    jobs.c.in_history,
    jobs.c.end_order,
    sqlite_where=jobs.c.user_id.is_not(None),
)


def _job_key() -> Column[int]:
    return Column("sequence", sequence_type, ForeignKey("jobs.sequence"), primary_key=True, autoincrement=False)


job_body = Table(
    "job_body",
    metadata,
    _job_key(),
    Column("graph", LargeBinary, nullable=False),
    Column("extra_data", LargeBinary, nullable=False),
    Column("targets", LargeBinary, nullable=False),
)

job_result = Table(
    "job_result",
    metadata,
    _job_key(),
    Column("outputs", LargeBinary, nullable=False),
    Column("meta", LargeBinary, nullable=False),
    Column("messages", LargeBinary, nullable=False),
    Column("error", LargeBinary),
    # Outputs, messages and meta once more, as `/history` shows them; NULL for results of older versions.
    Column("shown", LargeBinary),
    # What happened in the run, numbered (`dispatch/event_log.py`); NULL for results of older versions.
    Column("events", LargeBinary),
)

outputs = Table(
    "outputs",
    metadata,
    _job_key(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("node_id", Text, nullable=False),
    Column("media_key", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("subfolder", Text, nullable=False),
    Column("type", Text, nullable=False),
    sqlite_with_rowid=False,
)

Index("ix_outputs_filename", outputs.c.filename)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

QUEUE_PAUSED = "queue_paused"
"""Counter: 1 while nothing is to be started."""
HIGHEST_REMOVED_NUMBER = "highest_removed_number"
"""Counter: the highest number that the server gave to a job that is no longer stored, -1 at first."""


def make_indexes_partial(dialect: str) -> None:
    """Give the indexes that leave out NULL the same condition on PostgreSQL as on SQLite.

    Not where they are declared: naming a dialect there imports it, 40 ms that only its users should pay.
    """
    if dialect == "postgresql":
        for index in jobs.indexes:
            index.dialect_options[dialect]["where"] = index.dialect_options["sqlite"]["where"]
