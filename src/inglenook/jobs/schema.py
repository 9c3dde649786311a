"""Bringing a database to the tables of this version: created when it is empty, migrated when it is older."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from inglenook.jobs import asset_tables, batch_tables, server_tables, workflow_tables  # noqa: F401 - add their tables to `metadata`
from inglenook.jobs.errors import JobStoreUnusable
from inglenook.jobs.tables import HIGHEST_REMOVED_NUMBER, REVISION, counters, make_indexes_partial, metadata

MIGRATIONS = Path(__file__).parent / "migrations"

_stamp = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Where alembic notes the newest migration; written here for new databases, since importing alembic takes 0.3 s."""


def prepare(connection: Connection, database: str) -> None:
    """Create or migrate the tables, in one transaction.

    Raises JobStoreUnusable when the database belongs to a newer version or to something else.
    """
    tables = set(inspect(connection).get_table_names())
    if _stamp.name in tables:
        found = connection.scalar(select(_stamp.c.version_num))
        if found != REVISION:
            _begin(connection)
            _migrate(connection, database, found)
    elif foreign := tables & set(metadata.tables):
        reason = f"its tables {', '.join(sorted(foreign))} were made by another program"
        raise JobStoreUnusable(database, reason)
    else:
        _begin(connection)
        _create(connection)
    connection.commit()


def _begin(connection: Connection) -> None:
    """Python's SQLite driver begins no transaction for statements that change the schema."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _create(connection: Connection) -> None:
    make_indexes_partial(connection.dialect.name)
    metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(counters), {"name": HIGHEST_REMOVED_NUMBER, "value": -1})
    _stamp.create(connection)
    connection.execute(insert(_stamp), {"version_num": REVISION})


def _migrate(connection: Connection, database: str, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    if found is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(found)
        except CommandError as error:
            raise JobStoreUnusable(
                database,
                f"it was written by a newer inglenook (its tables are of version {found}, this one knows up to "
                f"{REVISION}); upgrade inglenook, or move the database away to begin with an empty one",
            ) from error
    command.upgrade(config, "head")
