"""The readers: threads with connections of their own, so that a long listing never delays an accept."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from inglenook.jobs.database import Database
from inglenook.jobs.errors import JobStoreClosed
from inglenook.jobs.futures import settle

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

_Question = tuple[Callable[[Connection], Any], "asyncio.Future[Any]"]


class Readers:
    """Answers questions in threads; each begins after what was committed before it was asked."""

    def __init__(self, database: Database, count: int = 2) -> None:
        self._database = database
        self._count = count
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._ended: list[asyncio.Future[None]] = []
        self._is_open = False

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        for index in range(self._count):
            ended: asyncio.Future[None] = self._loop.create_future()
            self._ended.append(ended)
            threading.Thread(target=self._run, args=(ended,), name=f"job-reader-{index}", daemon=True).start()

    async def close(self) -> None:
        """Answer what was asked, then end the threads."""
        self._is_open = False
        for _ended in self._ended:
            self._questions.put(None)
        for ended in self._ended:
            await ended
        self._ended.clear()

    async def ask(self, query: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """What the query returns. Raises JobStoreClosed, or JobStoreError when the database cannot be read."""
        if not self._is_open:
            raise JobStoreClosed
        future: asyncio.Future[T] = self._loop.create_future()
        self._questions.put((lambda connection: query(connection, *arguments, **named), future))
        return await future

    def _run(self, ended: asyncio.Future[None]) -> None:
        reader = _Reader(self._database)
        while (question := self._questions.get()) is not None:
            query, future = question
            try:
                self._call(settle, future, reader.ask(query))
            except DBAPIError as error:
                translated = self._database.translated(error)
                translated.__cause__ = error
                self._call(settle, future, translated)
            except Exception as error:
                self._call(settle, future, error)
        reader.close()
        self._call(settle, ended, None)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop was closed without closing the store: nobody is left to be told
            logger.warning("the event loop ended before the job store was closed")


class _Reader:
    """One thread's connection, made at the first question and again when it is lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def ask(self, query: Callable[[Connection], Any]) -> Any:
        """What the query returns. Raises JobStoreError, or what the database or the query raise."""
        is_new = self._connection is None
        try:
            return self._ask(query)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            self.close()
            if is_new:
                raise
        return self._ask(query)  # of a database server that was restarted, nothing else tells

    def _ask(self, query: Callable[[Connection], Any]) -> Any:
        if self._connection is None:
            self._connection = self._database.connect_reader()
        try:
            return query(self._connection)
        finally:
            self._connection.rollback()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
