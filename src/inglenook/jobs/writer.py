"""The writer: one thread that owns the one connection that writes, and commits many operations at once.

Operations that arrive while a transaction runs wait on the side of the event loop and go together into the next one:
alone, an operation is committed at once; under load a commit (one fsync) carries dozens.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from inglenook.jobs.database import Database
from inglenook.jobs.errors import JobRejected, JobStoreClosed, JobStoreError
from inglenook.jobs.ledger import Ledger, read_ledger
from inglenook.jobs.operations import Alone, Operation, apply
from inglenook.jobs.schema import prepare
from inglenook.jobs.trimming import Trimming

logger = logging.getLogger(__name__)

LARGEST_BATCH = 256
"""Operations of one transaction at most, so that none waits for long behind others."""

_Pair = tuple[Operation, "asyncio.Future[Any]"]
_Answer = tuple["asyncio.Future[Any]", Any]


class Writer:
    """Commits operations in the order of `submit`. All methods belong to the event loop that called `start`."""

    def __init__(self, database: Database, trimming: Trimming) -> None:
        self._thread = _WriterThread(database, trimming, self._answered)
        self._waiting: list[_Pair] = []
        self._is_busy = False
        self._is_flush_planned = False
        self._is_open = False
        self._idle = asyncio.Event()

    async def start(self) -> None:
        """Open the database, and create or migrate its tables. Raises JobStoreError."""
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._idle.set()
        self._thread.start(self._loop, opened, self._ended)
        try:
            await opened
        except asyncio.CancelledError:  # a Ctrl-C while tables are made
            self._thread.batches.put(None)
            raise
        self._is_open = True

    async def close(self) -> None:
        """Commit what was submitted, then end the thread."""
        if not self._is_open:
            return
        self._is_open = False
        await self._idle.wait()
        self._thread.batches.put(None)
        await self._ended

    @property
    def ledger(self) -> Ledger:
        """Counts of what is committed; do not change it."""
        return self._thread.committed

    def submit(self, operation: Operation) -> asyncio.Future[Any]:
        """The outcome of an operation, once it is committed. It is committed too when nobody awaits it.

        Raises JobStoreClosed.
        """
        if not self._is_open:
            raise JobStoreClosed
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((operation, future))
        self._idle.clear()
        if not self._is_busy and not self._is_flush_planned:
            # Not now: other requests of the same turn of the loop join in.
            self._is_flush_planned = True
            self._loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        self._is_flush_planned = False
        if self._waiting and not self._is_busy:
            self._is_busy = True
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            self._thread.batches.put(batch)

    def _answered(self, answers: list[_Answer]) -> None:
        for future, outcome in answers:
            _settle(future, outcome)
        self._is_busy = False
        self._flush()
        if not self._is_busy:
            self._idle.set()


def _settle(future: asyncio.Future[Any], outcome: object) -> None:
    """Give a future its outcome, unless whoever waited for it has gone."""
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


class _WriterThread:
    """The side of the writer that touches the database."""

    def __init__(self, database: Database, trimming: Trimming, answered: Callable[[list[_Answer]], None]) -> None:
        self.batches: SimpleQueue[list[_Pair] | None] = SimpleQueue()
        self.committed = Ledger()
        """A copy of the ledger as of the last commit, for other threads."""
        self._database = database
        self._trimming = trimming
        self._answered = answered

    def start(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None], ended: asyncio.Future[None]) -> None:
        self._loop = loop
        threading.Thread(target=self._run, args=(opened, ended), name="job-writer", daemon=True).start()

    def _run(self, opened: asyncio.Future[None], ended: asyncio.Future[None]) -> None:
        try:
            self._open()
        except JobStoreError as error:
            self._call(partial(_settle, opened), error)
            return
        except Exception as error:
            self._call(partial(_settle, opened), JobStoreError(f"cannot open {self._database.name}: {error}"))
            return
        self._call(partial(_settle, opened), None)
        while (batch := self._next_batch()) is not None:
            self._call(self._answered, self._commit(batch))
        self._connection.close()
        self._call(partial(_settle, ended), None)

    def _open(self) -> None:
        self._connection = self._database.connect_writer()
        try:
            prepare(self._connection, self._database.name)
            self._ledger = read_ledger(self._connection)
            self._connection.commit()
            self.committed = self._ledger.copy()
        except DBAPIError as error:
            self._connection.close()
            raise self._database.translated(error) from error
        except BaseException:
            self._connection.close()
            raise

    def _call(self, function: Callable[[Any], None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the loop was closed without closing the store: nobody is left to be told
            logger.warning("the event loop ended before the job store was closed")

    def _next_batch(self) -> list[_Pair] | None:
        """The next batch; removes old jobs in between."""
        while True:
            try:
                return self.batches.get(timeout=self._trimming.delay_s(self._ledger))
            except Empty:
                (outcome,) = self._outcomes([self._trimming.removal()])
                self._trimming.removed(outcome)

    def _commit(self, batch: list[_Pair]) -> list[_Answer]:
        outcomes = self._outcomes([operation for operation, _future in batch])
        return [(future, outcome) for (_operation, future), outcome in zip(batch, outcomes, strict=True)]

    def _outcomes(self, operations: Sequence[Operation]) -> list[Any]:
        """What each operation gave, or the error it ran into; a batch that fails is split until one stands alone."""
        try:
            with self._connection.begin():
                outcomes = apply(self._connection, self._ledger, operations)
        except Exception as error:
            self._ledger = self.committed.copy()
            if len(operations) == 1:
                return [self._answer_for(error, operations[0])]
        else:
            self.committed = self._ledger.copy()
            return outcomes
        middle = len(operations) // 2
        return self._outcomes(operations[:middle]) + self._outcomes(operations[middle:])

    def _answer_for(self, error: Exception, operation: Operation) -> Exception:
        job_id = "" if isinstance(operation, Alone) else operation.job_id
        if isinstance(error, DataError | IntegrityError):
            rejected = JobRejected(job_id, str(error.orig))
            rejected.__cause__ = error
            return rejected
        if isinstance(error, DBAPIError):
            translated = self._database.translated(error)
            translated.__cause__ = error
            return translated
        if isinstance(error, JobStoreError):
            return error
        if isinstance(error, StatementError | UnicodeError | OverflowError | ValueError | TypeError):
            rejected = JobRejected(job_id, str(error))
            rejected.__cause__ = error
            return rejected
        return error
