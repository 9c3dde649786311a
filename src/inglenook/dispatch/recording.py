"""Writes down what becomes of runs: who runs them, where they were sent, how they ended.

Nothing is lost while the store does not work: what must be written waits for it, and nothing is started meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from inglenook.dispatch import endings
from inglenook.dispatch.lanes import Told
from inglenook.dispatch.run import Run
from inglenook.jobs import Job, JobRejected, JobResult, JobStore, JobStoreClosed, JobStoreError
from inglenook.jobs.starts import note_start
from inglenook.workers.own_tasks import OwnTasks

logger = logging.getLogger(__name__)

_CLAIM_AFTER_S = 0.02
_STORE_PAUSE_S = 1.0


class Recorder:
    """Between runs and the store."""

    def __init__(
        self,
        store: JobStore,
        tasks: OwnTasks,
        clock_ms: Callable[[], int],
        *,
        ended: Callable[[Run, str], None],
        committed: Callable[[Told], None],
        works_again: Callable[[], None],
    ) -> None:
        """ended: is told of an end before it is committed, with its state; committed: after that.

        works_again: is called when a write that others wait for has been made.
        """
        self.is_closing = False
        self.failing_writes = 0
        self.pauses = 0
        """How many writes wait for the store to work again; nothing is started meanwhile."""
        self._store = store
        self._tasks = tasks
        self._clock_ms = clock_ms
        self._ended = ended
        self._committed_to = committed
        self._works_again = works_again

    # -- the claim of an attempt ---------------------------------------------------------------------------------------

    def claim_soon(self, run: Run) -> None:
        """Write down who runs the job, in a moment: most short jobs end before, and then claim and end are one commit.

        Not awaited, since the writer keeps the order and a local worker dies with this process.
        """
        run.claim_timer = asyncio.get_running_loop().call_later(_CLAIM_AFTER_S, self.claim, run)

    def claim(self, run: Run) -> None:
        """Write down who runs the job, if that has not been done."""
        if run.claim_timer is not None:
            self.claim_now(run)

    async def claimed(self, runs: Iterable[Run]) -> None:
        """Return when the store knows of these runs what it is going to be told in a moment."""
        written = [self.claim_now(run) for run in runs if run.claim_timer is not None]
        if written:
            await asyncio.wait(written)

    def claim_now(self, run: Run) -> asyncio.Future[bool]:
        """Write down who runs the job, and where it was sent."""
        if run.claim_timer is not None:
            run.claim_timer.cancel()
            run.claim_timer = None
        job = run.job
        future = self._store.claim(
            job.id,
            job.worker or "",
            job.attempt,
            started_ms=job.started_ms,
            errand=run.errand,
            is_adopted=run.is_adopted,
        )
        future.add_done_callback(lambda done: self._claimed(run, job, done))
        return future

    def _claimed(self, run: Run, job: Job, done: asyncio.Future[bool]) -> None:
        error = done.exception()
        if error is not None:
            logger.error("attempt %d at job %s is not written down: %s", job.attempt, job.id, error)
        elif run.job.attempt == job.attempt:
            run.is_claimed = done.result()

    def note_start(self, job: Job) -> None:
        """Write down when a server began with a job whose claim is written."""
        noted = self._store.write(note_start, job.id, job.attempt, job.started_ms or 0)
        noted.add_done_callback(lambda done: self._start_noted(job, done))

    @staticmethod
    def _start_noted(job: Job, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and done.exception() is not None:
            logger.warning("the start of job %s is not written down: %s", job.id, done.exception())

    async def write(self, run: Run, write: Callable[[], Awaitable[bool]]) -> bool:
        """Do a write that needs the claim of the attempt; while the store does not work, nothing new is started.

        False when the write was too late, or when the server stops before the store works again.
        """
        self.pauses += 1
        has_failed = False
        try:
            while True:
                try:
                    if not run.is_claimed:
                        run.is_claimed = await self.claim_now(run)
                    return await write()
                except JobStoreError as error:
                    logger.error("the queue pauses: %s", error)
                    self.failing_writes += not has_failed
                    has_failed = True
                    if self.is_closing or isinstance(error, JobStoreClosed):
                        return False
                await asyncio.sleep(_STORE_PAUSE_S)
        finally:
            self.pauses -= 1
            self.failing_writes -= has_failed
            self._works_again()

    # -- its end -------------------------------------------------------------------------------------------------------

    def finish(self, told: Told) -> None:
        """Record the end of a run; the bus hears of it once that is committed."""
        run = told.run
        run.result = endings.result_of(run)
        run.log.set_end(run.result.state.value, run.result.error)
        run.job = replace(run.job, state=run.result.state, ended_ms=run.result.ended_ms)
        self.claim(run)
        self._ended(run, run.result.state.value)
        try:
            future = self._store.finish(run.job.id, run.job.attempt, _with_events(run, run.result))
        except JobRejected as error:
            self._finish_otherwise(told, error)
            return
        future.add_done_callback(lambda done: self._finished(told, done))

    def _finish_otherwise(self, told: Told, error: JobRejected) -> None:
        """Record that the end of a run cannot be recorded."""
        logger.error("%s", error)
        end = endings.unstorable(told.run, error.reason, self._clock_ms())
        told.events = [*told.events[:-1], end]
        told.run.end = end
        told.run.blocked = []
        self.finish(told)

    def _finished(self, told: Told, done: asyncio.Future[bool]) -> None:
        error = done.exception()
        if isinstance(error, JobRejected) and told.run.end is not None and told.run.end.outputs:
            self._finish_otherwise(told, error)
        elif isinstance(error, JobStoreError) or not (error or done.result() or told.run.is_claimed):
            self._tasks.start(self._finish_later(told))
        else:
            self._committed(told, was_recorded=error is None and done.result())

    async def _finish_later(self, told: Told) -> None:
        """Record the end of a run that the store could not take at once."""
        run = told.run
        assert run.result is not None
        stored = _with_events(run, run.result)
        recorded = await self.write(run, lambda: self._store.finish(run.job.id, run.job.attempt, stored))
        if recorded or not self.is_closing:
            self._committed(told, was_recorded=recorded)

    def _committed(self, told: Told, *, was_recorded: bool) -> None:
        if not was_recorded:
            logger.error("the end of job %s was not recorded: the store has another", told.run.job.id)
        told.is_committed = True
        self._committed_to(told)


def _with_events(run: Run, result: JobResult) -> JobResult:
    """A result with what happened in its run, as it is stored."""
    return replace(result, events=run.log.stored())
