"""The table of servers that were added as workers while the front ran, in the database of the jobs."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from inglenook.jobs.tables import metadata

servers = Table(
    "servers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("url", Text, nullable=False),
    # What the server is given as a key; NULL where it asks for none.
    Column("api_key", Text),
    # Jobs of ours that it has at a time; NULL takes the setting.
    Column("slots", Integer),
    # 1 while it gets no more jobs.
    Column("is_draining", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)
