"""The writer: one thread that owns the one connection that writes, and commits many operations at once.

Operations that arrive while a transaction runs wait on the side of the event loop and go together into the next one:
alone, an operation is committed at once; under load a commit (one fsync) carries dozens.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from inglenook.jobs import upkeep
from inglenook.jobs.changes import ChangeFeed, Changes
from inglenook.jobs.database import Database
from inglenook.jobs.errors import JobRejected, JobStoreClosed, JobStoreError
from inglenook.jobs.futures import settle
from inglenook.jobs.job import Added, JobId
from inglenook.jobs.ledger import Ledger, read_ledger
from inglenook.jobs.operations import Alone, Operation, apply, are_relaxed
from inglenook.jobs.schema import prepare
from inglenook.jobs.trimming import Trimming
from inglenook.jobs.upkeep import cancel_queued

logger = logging.getLogger(__name__)

LARGEST_BATCH = 256
"""Operations of one transaction at most, so that none waits for long behind others."""

_FLUSH_S = 0.5
"""How soon a commit that did not wait for the disk is on it, where no other comes."""
RECONNECT_S = 10.0
"""How long the writes of a transaction wait for a database server that is being restarted; then they are refused."""
RECONNECT_PAUSE_S = 0.2
WATCH_EVERY_S = 5.0
"""How often an idle writer looks whether its connection is there: with it goes the lock that keeps others out."""
_WATCH = Alone(lambda connection, _ledger: connection.scalar(select(1)))

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

    @property
    def changes(self) -> ChangeFeed:
        """Which jobs are changed by what is committed."""
        return self._thread.changes

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
            settle(future, outcome)
        self._is_busy = False
        self._flush()
        if not self._is_busy:
            self._idle.set()


class _WriterThread:
    """The side of the writer that touches the database."""

    def __init__(self, database: Database, trimming: Trimming, answered: Callable[[list[_Answer]], None]) -> None:
        self.batches: SimpleQueue[list[_Pair] | None] = SimpleQueue()
        self.committed = Ledger()
        """A copy of the ledger as of the last commit, for other threads."""
        self.changes = ChangeFeed()
        self._database = database
        self._trimming = trimming
        self._answered = answered
        self._is_unflushed = False
        """The last commit may not be on the disk yet."""
        self._is_lost = False
        """Whether the connection is lost, and was not found again in time."""
        self._doubtful: list[JobId] = []
        """Jobs whose commit was under way then."""

    def start(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None], ended: asyncio.Future[None]) -> None:
        self._loop = loop
        threading.Thread(target=self._run, args=(opened, ended), name="job-writer", daemon=True).start()

    def _run(self, opened: asyncio.Future[None], ended: asyncio.Future[None]) -> None:
        try:
            self._open()
        except JobStoreError as error:
            self._call(partial(settle, opened), error)
            return
        except Exception as error:
            self._call(partial(settle, opened), JobStoreError(f"cannot open {self._database.name}: {error}"))
            return
        self._call(partial(settle, opened), None)
        while (batch := self._next_batch()) is not None:
            self._call(self._answered, self._commit(batch))
        self._connection.close()
        self._call(partial(settle, ended), None)

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
            delay_s = self._trimming.delay_s(self._ledger)
            is_watch = self._database.is_server and delay_s > WATCH_EVERY_S
            wait_s = WATCH_EVERY_S if is_watch else delay_s
            try:
                return self.batches.get(timeout=min(wait_s, _FLUSH_S) if self._is_unflushed else wait_s)
            except Empty:
                if self._is_unflushed:
                    self._flush()
                    continue
                if is_watch:
                    self._outcomes([_WATCH])
                    continue
                (outcome,) = self._outcomes([self._trimming.removal()])
                self._trimming.removed(outcome)

    def _flush(self) -> None:
        """Commit something, so that what was committed before is on the disk too."""
        self._is_unflushed = False
        (outcome,) = self._outcomes([Alone(upkeep.touch)])
        if isinstance(outcome, Exception):
            logger.error("the job database cannot be flushed: %s", outcome)

    def _commit(self, batch: list[_Pair]) -> list[_Answer]:
        outcomes = self._outcomes([operation for operation, _future in batch])
        return [(future, outcome) for (_operation, future), outcome in zip(batch, outcomes, strict=True)]

    def _outcomes(self, operations: Sequence[Operation]) -> list[Any]:
        """What each operation gave, or the error it ran into; a batch that fails is split until one stands alone."""
        try:
            return self._transaction(operations)
        except Exception as error:
            self._ledger = self.committed.copy()
            if len(operations) == 1 or self._is_lost:
                return [self._answer_for(error, operation) for operation in operations]
        middle = len(operations) // 2
        return self._outcomes(operations[:middle]) + self._outcomes(operations[middle:])

    def _transaction(self, operations: Sequence[Operation]) -> list[Any]:
        """Commit a batch; once more on a new connection where the one to a database server is lost."""
        if self._is_lost or self._connection.invalidated:  # it would connect again by itself, without the lock
            self._connect_again(patience_s=0)
        if self._doubtful:
            self._take_back()
        done: list[Any] = []
        try:
            self._apply(operations, done)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            logger.warning("the connection to %s is lost: %s", self._database.name, error.orig)
            before, after = self.committed, self._ledger
            self._doubtful = _added(done)
            self._connect_again(RECONNECT_S)
            # The commit may have gone through before its answer was lost; only this process writes.
            if not done or after.counts_as(before) or not after.counts_as(self._ledger):
                done.clear()
                self._apply(operations, done)
            self._doubtful = []
        self._publish()
        return done

    def _apply(self, operations: Sequence[Operation], done: list[Any]) -> None:
        """Commit a batch; `done` has its outcomes as soon as the commit is under way."""
        is_relaxed = are_relaxed(operations)
        with self._database.relaxed(self._connection) if is_relaxed else self._connection.begin():
            done += apply(self._connection, self._ledger, operations)
        self._is_unflushed = is_relaxed and bool(operations)

    def _publish(self) -> None:
        """Let other threads know what is committed now."""
        self.changes.publish(self._ledger.changes)
        self.committed, self._ledger.changes = self._ledger.copy(), Changes()

    def _take_back(self) -> None:
        """Take jobs out of the queue that were refused, but stored if the answer to their commit alone was lost.

        Nobody would run them before the next start, and who sends one again would hear that it is there.
        """
        with self._connection.begin():
            cancel_queued(self._connection, self._ledger, self._doubtful, time.time_ns() // 1_000_000)
        self._publish()
        self._doubtful.clear()

    def _connect_again(self, patience_s: float) -> None:
        """Find the database again, as its one writer, and what it holds. Raises JobStoreError."""
        self._is_lost, before = True, self.committed
        self._connection.close()
        deadline_s = time.monotonic() + patience_s
        while True:
            try:
                self._open()
                break
            except JobStoreError:
                if time.monotonic() >= deadline_s:
                    raise
            time.sleep(RECONNECT_PAUSE_S)
        self._is_lost = False
        self._ledger.deliveries = before.deliveries + 1  # it only grows, and some may be due
        self.committed = self._ledger.copy()
        self.changes.publish(Changes(is_everything=True))
        logger.warning("connected to %s again", self._database.name)

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


def _added(outcomes: Iterable[Any]) -> list[JobId]:
    """The jobs that a batch has added."""
    each = [one for outcome in outcomes for one in (outcome if isinstance(outcome, list) else [outcome])]
    return [one.job.id for one in each if isinstance(one, Added)]
