"""Databases for tests: SQLite files, and PostgreSQL where INGLENOOK_TEST_POSTGRESQL names a server.

It is an SQLAlchemy URL (`postgresql+psycopg://postgres@127.0.0.1:5432/postgres`) of a role that may create databases.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, make_url

POSTGRESQL = os.environ.get("INGLENOOK_TEST_POSTGRESQL")
KINDS = ["sqlite", "postgresql"] if POSTGRESQL else ["sqlite"]


@contextmanager
def administration() -> Iterator[Connection]:
    """A connection to the PostgreSQL server that may create and drop databases."""
    assert POSTGRESQL is not None
    engine = create_engine(POSTGRESQL, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@contextmanager
def new_database(kind: str, folder: Path) -> Iterator[str]:
    """URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'jobs.sqlite'}"
        return
    name = f"inglenook_{uuid.uuid4().hex}"
    url = _create(name)
    try:
        yield url
    finally:
        _drop(name)


def url_of(folder: Path) -> str:
    """URL of the database of a folder, the same each time; PostgreSQL's where there is one."""
    if POSTGRESQL is None:
        return f"sqlite:///{folder / 'jobs.sqlite'}"
    return _postgresql_of(folder)


@functools.cache
def _postgresql_of(folder: Path) -> str:
    name = f"inglenook_{hashlib.sha1(str(folder).encode()).hexdigest()}"
    _drop(name)
    atexit.register(_drop, name)
    return _create(name)


def _create(name: str) -> str:
    with administration() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return make_url(str(POSTGRESQL)).set(database=name).render_as_string(hide_password=False)


def _drop(name: str) -> None:
    with administration() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
