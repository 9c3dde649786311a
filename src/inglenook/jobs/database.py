"""Connections to the database of the job store, and what its errors mean."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, func, make_url, select
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from inglenook.jobs.errors import JobStoreError, JobStoreFull, JobStoreUnusable

BUSY_TIMEOUT_S = 10.0
"""How long a statement waits for another program (a backup, a database browser) that holds the SQLite file."""

SYNCHRONOUS = "FULL"
"""When SQLite flushes to the disk. FULL: at every commit, so that a power cut loses nothing that was accepted."""

WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""Size to which the write-ahead log is cut back after a burst."""

_ADVISORY_LOCK = 0x696E676C
"""Key of the lock that a server holds on a PostgreSQL database: the letters `ingl`."""

_LOCK_TIMEOUT_S = 5.0
"""How long PostgreSQL may take to notice that the server before is gone."""


_POSTGRESQL_ARGUMENTS = {
    "application_name": "inglenook",
    "connect_timeout": 10,  # seconds
    "tcp_user_timeout": 20_000,  # milliseconds until a server that says nothing any more counts as gone
    "keepalives_idle": 30,  # seconds
}
"""Arguments of libpq, unless the URL has them; without, a server that vanished is waited for for 15 minutes."""


def sqlite_url(path: Path) -> str:
    """The URL of a database file, whatever its path contains (`?` and `%` mean something in a URL)."""
    return URL.create("sqlite", database=str(path)).render_as_string()


class Database:
    """One database and how to connect to it. A connection belongs to the thread that opens it."""

    def __init__(self, url: str) -> None:
        try:
            self.url: URL = make_url(url)
        except ArgumentError as error:
            raise JobStoreUnusable(url, "it is not a database URL such as sqlite:////folder/jobs.sqlite") from error
        if self.url.drivername in ("postgres", "postgresql"):
            self.url = self.url.set(drivername="postgresql+psycopg")
        self._is_sqlite = self.url.get_backend_name() == "sqlite"
        if self._is_sqlite and self.url.database in (None, "", ":memory:"):
            raise JobStoreUnusable(url, "a job store in memory is not durable; give it a file")

    @property
    def is_server(self) -> bool:
        """Whether the database is elsewhere, and a connection to it can be lost."""
        return not self._is_sqlite

    @property
    def name(self) -> str:
        """What messages call it: the file, or the URL without its password."""
        return str(self.url.database) if self._is_sqlite else self.url.render_as_string(hide_password=True)

    def connect_writer(self) -> Connection:
        """The one connection that writes. Every commit is on the disk when it returns, but for `relaxed` ones.

        Raises JobStoreUnusable.
        """
        if not self._is_sqlite:
            return self._locked(self._connect(self._engine()))
        path = Path(self.name)
        try:
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise JobStoreUnusable(self.name, f"its folder cannot be made: {error}") from error
        _make_private(path)
        # IMMEDIATE: the driver begins a transaction with the first write, and takes the write lock at once.
        connection = self._connect(self._engine(isolation_level="IMMEDIATE"))
        return self._set_up(
            connection,
            "PRAGMA journal_mode=WAL",
            f"PRAGMA synchronous={SYNCHRONOUS}",
            f"PRAGMA journal_size_limit={WAL_LIMIT_BYTES}",
        )

    @contextmanager
    def relaxed(self, connection: Connection) -> Iterator[None]:
        """A transaction that survives this process as soon as it is committed, and the machine after the next flush.

        The commit does not wait for the disk: 0.2 ms in place of 1 to 4.
        """
        if not self._is_sqlite:
            with connection.begin():
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO OFF")
                yield
            return
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA synchronous=NORMAL")  # with a write-ahead log: no flush at a commit
        try:
            with connection.begin():
                yield
        finally:
            driver.execute(f"PRAGMA synchronous={SYNCHRONOUS}")

    def connect_reader(self) -> Connection:
        """A connection that only reads, and sees what was committed when a statement begins."""
        if not self._is_sqlite:
            return self._connect(self._engine().execution_options(isolation_level="AUTOCOMMIT"))
        return self._set_up(self._connect(self._engine(isolation_level=None)), "PRAGMA query_only=ON")

    def _engine(self, **sqlite_arguments: str | None) -> Engine:
        arguments: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S, **sqlite_arguments} if self._is_sqlite else {}
        if self.url.drivername == "postgresql+psycopg":
            arguments = {name: value for name, value in _POSTGRESQL_ARGUMENTS.items() if name not in self.url.query}
        try:
            return create_engine(self.url, poolclass=NullPool, connect_args=arguments)
        except NoSuchModuleError as error:
            raise JobStoreUnusable(self.name, "use sqlite or postgresql") from error
        except ModuleNotFoundError as error:
            reason = f"{error}; install inglenook[postgres] for PostgreSQL"
            raise JobStoreUnusable(self.name, reason) from error

    def _connect(self, engine: Engine) -> Connection:
        try:
            return engine.connect()
        except DBAPIError as error:
            raise JobStoreUnusable(self.name, str(error.orig)) from error

    def _locked(self, connection: Connection) -> Connection:
        """Keep a second server from this database; a file is guarded by the lock on its folder."""
        if connection.dialect.name == "postgresql":
            deadline_s = time.monotonic() + _LOCK_TIMEOUT_S
            while not connection.scalar(select(func.pg_try_advisory_lock(_ADVISORY_LOCK))):
                if time.monotonic() > deadline_s:
                    connection.close()
                    raise JobStoreUnusable(self.name, "another inglenook server uses it")
                time.sleep(0.1)
            connection.commit()
        return connection

    def _set_up(self, connection: Connection, *statements: str) -> Connection:
        try:
            for statement in statements:
                connection.exec_driver_sql(statement)
            connection.commit()
        except DBAPIError as error:
            connection.close()
            raise self.translated(error) from error
        return connection

    def translated(self, error: DBAPIError) -> JobStoreError:
        """The store's own error for one of the driver."""
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        sqlstate = getattr(error.orig, "sqlstate", None)
        if code == _SQLITE_FULL or sqlstate == _POSTGRES_DISK_FULL or (code == _SQLITE_IOERR and self._disk_is_full()):
            return JobStoreFull(self.name)
        if code in (_SQLITE_CORRUPT, _SQLITE_NOTADB):
            reason = f"{error.orig}; restore it from a backup, or move it away to begin with an empty one"
            return JobStoreUnusable(self.name, reason)
        return JobStoreError(f"the job database {self.name} answered: {error.orig}")

    def _disk_is_full(self) -> bool:
        try:
            return shutil.disk_usage(Path(self.name).parent).free < 1024 * 1024
        except OSError:
            return False


def _make_private(path: Path) -> None:
    """Let only its owner read a database, which holds secrets of webhooks and keys of servers.

    SQLite gives its further files the same mode. What an older version made for all to read is changed; a mode that
    somebody chose stays.
    """
    with suppress(OSError):  # whether it can be opened, SQLite says
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    for file in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))):
        with suppress(OSError):
            if stat.S_IMODE(file.stat().st_mode) in (0o644, 0o664):
                file.chmod(0o600)


# Result codes of SQLite (https://www.sqlite.org/rescode.html) and PostgreSQL (appendix A of its manual).
_SQLITE_IOERR = 10
_SQLITE_CORRUPT = 11
_SQLITE_FULL = 13
_SQLITE_NOTADB = 26
_POSTGRES_DISK_FULL = "53100"
