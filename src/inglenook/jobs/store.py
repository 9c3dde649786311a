"""The durable job store: what it accepted is there after a crash, and every job ends once.

Writes go through one thread (`writer.py`), questions through two others (`readers.py`); this class only hands them on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection

from inglenook.jobs import finished, listing, queries, upkeep
from inglenook.jobs.codec import to_json
from inglenook.jobs.database import Database
from inglenook.jobs.deliveries import Outbox
from inglenook.jobs.finished import ShowResult
from inglenook.jobs.job import (
    AddOutcome,
    DeathCount,
    EncodedRun,
    Errand,
    FinishedJob,
    Job,
    JobFilter,
    JobId,
    JobPage,
    JobResult,
    ListedJob,
    Listing,
    MeasuredRun,
    OutputFile,
    Page,
    Shown,
    State,
)
from inglenook.jobs.job_index import JobIndex
from inglenook.jobs.ledger import Ledger
from inglenook.jobs.operations import Add, Alone, Claim, Note, Requeue, apply
from inglenook.jobs.readers import Readers
from inglenook.jobs.rows import body_row, errand_row, job_row
from inglenook.jobs.tables import QUEUE_PAUSED
from inglenook.jobs.trimming import Trimming
from inglenook.jobs.webhooks import Webhook
from inglenook.jobs.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def result_of_server_deaths(job: Job, ended_ms: int) -> JobResult:
    """The end of a job that was running each time the server died."""
    message = f"the server died {job.server_deaths} times while this job ran; it was not tried again"
    return JobResult(State.failed, ended_ms, error={"type": "server_died", "message": message})


def show_plainly(_job_id: JobId, result: JobResult) -> bytes:
    """A result in the words of the store."""
    return to_json({"state": result.state, "outputs": result.outputs, "meta": result.meta, "error": result.error})


def _new_errand(errand: Errand | None) -> dict[str, str | None]:
    return {f"new_{name}": value for name, value in errand_row(errand).items()}


class JobStore:
    """The queue and the history on disk, one instance per database; use `open` or `start` and `close`.

    Writing methods return a future at once: the write is under way, in order, whether or not it is awaited, and is on
    the disk when the future is done. A question that is asked after that sees it.
    They raise JobStoreClosed, JobStoreFull (nothing was written, try again later), JobRejected (this job cannot be
    stored) and JobStoreError.
    """

    def __init__(
        self,
        url: str,
        *,
        history_limit: int = 10_000,
        history_age_s: float | None = None,
        show_result: ShowResult = show_plainly,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """url: as SQLAlchemy takes it (`sqlite:////folder/jobs.sqlite`). clock: milliseconds since the epoch.

        show_result: makes of each result, when it is stored, the JSON document that will be shown.
        """
        self._show_result = show_result
        self._clock = clock
        self._history_limit = history_limit
        age_ms = None if history_age_s is None else round(history_age_s * 1000)
        database = Database(url)
        self._writer = Writer(database, Trimming(history_limit, age_ms, clock))
        self._readers = Readers(database)
        self._index = JobIndex(self._writer.changes)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        history_limit: int = 10_000,
        history_age_s: float | None = None,
        show_result: ShowResult = show_plainly,
        clock: Callable[[], int] = now_ms,
    ) -> Self:
        """A store for `async with`."""
        return cls(url, history_limit=history_limit, history_age_s=history_age_s, show_result=show_result, clock=clock)

    async def start(self) -> None:
        """Open the database and bring its tables up to date. Raises JobStoreError, JobStoreUnusable."""
        await self._writer.start()
        self._readers.start()

    async def close(self) -> None:
        """Commit what was handed in, answer what was asked, close the database."""
        await self._writer.close()
        await self._readers.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def add(self, job: Job, webhooks: Sequence[Webhook] = ()) -> asyncio.Future[AddOutcome]:
        """Accept a new, queued job. An id that is known already writes nothing and gives Existing or Conflict.

        webhooks: who is told of it, noted in the same transaction.
        """
        return self._writer.submit(Add(job, job_row(job), body_row(job), tuple(webhooks)))

    def add_all(
        self,
        jobs: Sequence[Job],
        webhooks: Sequence[Webhook] = (),
        beside: Callable[[Connection], None] | None = None,
    ) -> asyncio.Future[list[AddOutcome]]:
        """Accept several new jobs in one transaction, with further writes after them; webhooks: of each job."""
        adds = [Add(job, job_row(job), body_row(job), tuple(webhooks)) for job in jobs]

        def write(connection: Connection, ledger: Ledger) -> list[Any]:
            outcomes = apply(connection, ledger, adds)
            if beside is not None:
                beside(connection)
            return outcomes

        return self._writer.submit(Alone(write))

    async def is_queue_paused(self) -> bool:
        """Whether the queue was paused and not resumed since."""
        return await self._readers.ask(queries.counter, QUEUE_PAUSED) == 1

    def set_queue_paused(self, is_paused: bool) -> asyncio.Future[None]:
        """Remember whether the queue is paused."""
        return self.write(upkeep.set_counter, QUEUE_PAUSED, int(is_paused))

    def claim(
        self,
        job_id: JobId,
        worker: str,
        attempt: int,
        *,
        started_ms: int | None = None,
        errand: Errand | None = None,
        is_adopted: bool = False,
    ) -> asyncio.Future[bool]:
        """Give a queued job to a worker; False when it is not queued (any more) or had this attempt before.

        errand: where it is about to be sent. is_adopted: the attempt goes on that is stored with the same errand.
        """
        started = self._clock() if started_ms is None else started_ms
        values = {
            "job_id": job_id,
            "new_attempt": attempt,
            "new_worker": worker,
            "new_started_ms": started,
            **_new_errand(errand),
        }
        return self._writer.submit(Claim(job_id, values, is_adopted))

    def note(self, job_id: JobId, attempt: int, errand: Errand) -> asyncio.Future[bool]:
        """Remember where a running attempt was sent; False unless this attempt is the one that is running."""
        return self._writer.submit(Note(job_id, {"job_id": job_id, "of_attempt": attempt, **_new_errand(errand)}))

    def finish(self, job_id: JobId, attempt: int, result: JobResult) -> asyncio.Future[bool]:
        """Record the end of a run; False, with nothing written, unless this attempt is the one that is running."""
        if not result.state.is_end:
            raise ValueError(f"a job cannot end as {result.state}")
        return self._writer.submit(upkeep.finish_operation(job_id, attempt, result, self._show_result))

    def requeue(
        self, job_id: JobId, attempt: int, *, count: DeathCount, keeps_errand: bool = False
    ) -> asyncio.Future[bool]:
        """Put a running job back into its old place; False unless this attempt is the one that is running.

        keeps_errand: the attempt goes on where it was sent, and may be claimed again.
        """
        values = {
            "job_id": job_id,
            "of_attempt": attempt,
            "more_worker_deaths": int(count == "worker"),
            "more_server_deaths": int(count == "server"),
        }
        return self._writer.submit(Requeue(job_id, values, keeps_errand))

    def cancel_queued(self, ids: Collection[JobId] | None = None) -> asyncio.Future[list[JobId]]:
        """Cancel jobs that have not started (all of them without ids); returns those, in queue order.

        They are not in the history.
        """
        wanted = None if ids is None else frozenset(ids)
        at_ms = self._clock()
        return self._writer.submit(
            Alone(lambda connection, ledger: upkeep.cancel_queued(connection, ledger, wanted, at_ms))
        )

    def recover(self, result_of_lost: Callable[[Job], JobResult] | None = None) -> asyncio.Future[list[Job]]:
        """Call once after start: jobs that were running go back into their old place; returns all queued jobs in order.

        Those that were sent to another server keep their errand. A job that was running at more than MAX_SERVER_DEATHS
        deaths of the server (MAX_ADOPTIONS with an errand) ends with `result_of_lost(job)`, which is called in the
        writer thread; by default a failure with an error and no messages.
        """

        def give_up(job: Job) -> JobResult:
            return result_of_server_deaths(job, self._clock()) if result_of_lost is None else result_of_lost(job)

        return self._writer.submit(Alone(lambda connection, ledger: upkeep.recover(connection, ledger, give_up)))

    def adopt(self, user: str) -> asyncio.Future[None]:
        """Give this user the jobs that belong to nobody; for a server that begins to tell its users apart."""
        return self._writer.submit(Alone(lambda connection, ledger: upkeep.adopt(connection, ledger, user)))

    async def delete_history(self, ids: Collection[JobId], *, user: str | None = None) -> None:
        """Remove finished jobs (of one user); ids of others are ignored."""
        wanted = list(ids)
        for start in range(0, len(wanted), upkeep.REMOVED_AT_ONCE):
            part = wanted[start : start + upkeep.REMOVED_AT_ONCE]
            await self._remove_part(part, user)

    def _remove_part(self, ids: list[JobId], user: str | None) -> asyncio.Future[int]:
        return self._writer.submit(
            Alone(lambda connection, ledger: upkeep.remove_from_history(connection, ledger, ids, user))
        )

    def remove_ended(self, job_id: JobId, *, user: str | None = None) -> asyncio.Future[int]:
        """Remove a job (of one user) that has ended, also one that never ran; returns how many were removed."""
        return self._writer.submit(
            Alone(lambda connection, ledger: upkeep.remove_ended(connection, ledger, [job_id], user))
        )

    async def clear_history(self, *, user: str | None = None) -> None:
        """Remove every job (of one user) that has finished by now, a few at a time."""
        last: int = await self._writer.submit(Alone(lambda _connection, ledger: ledger.end_order))
        oldest = Alone(lambda connection, ledger: upkeep.remove_oldest_history(connection, ledger, last, user))
        while await self._writer.submit(oldest) == upkeep.REMOVED_AT_ONCE:
            pass

    def write(
        self, function: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs
    ) -> asyncio.Future[T]:
        """What the function returns, called in a transaction of the writer; for tables beside those of the jobs.

        An exception of its own undoes what it wrote. It should be quick: jobs that are accepted wait for it.
        """
        return self._writer.submit(Alone(lambda connection, _ledger: function(connection, *arguments, **named)))

    async def read(self, query: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """What the query returns, called in a reader's thread."""
        return await self._readers.ask(query, *arguments, **named)

    async def jobs_of_files(self, filenames: Collection[str], *, user: str | None = None) -> list[OutputFile]:
        """The output files of these names that finished jobs (of one user) have written, newest last."""
        return await self._readers.ask(queries.jobs_of_files, filenames, user)

    async def get(self, job_id: JobId) -> Job | None:
        """A job in any state."""
        return await self._readers.ask(queries.get_job, job_id)

    async def history(self, max_items: int | None = None, offset: int | None = None) -> list[FinishedJob]:
        """Finished runs in the order in which they ended, oldest first.

        offset counts from the oldest; without one (or with a negative one) `max_items` are the newest.
        """
        return await self._readers.ask(queries.history, self._history_limit, max_items, offset)

    async def begin_history(
        self,
        join: Callable[[EncodedRun], Shown],
        *,
        user: str | None = None,
        max_items: int | None = None,
        offset: int | None = None,
        at_once: int = 200,
    ) -> Listing[Shown]:
        """The same as `history`, of one user perhaps, each run handed to `join` (in a thread); 10,000 at most.

        No more than `at_once` are read now; `more_history` has the others.
        """
        stored = self._writer.ledger.history
        return await self._readers.ask(
            finished.begin_history,
            user,
            stored,
            self._history_limit,
            max_items,
            offset,
            self._show_result,
            join,
            at_once,
        )

    async def more_history(self, join: Callable[[EncodedRun], Shown], sequences: Sequence[int]) -> list[Shown]:
        """Some of the `rest` of a part of the history, in order."""
        return await self._readers.ask(finished.runs, sequences, self._show_result, join)

    async def finished_run(self, job_id: JobId, *, user: str | None = None) -> EncodedRun | None:
        """A finished run (of one user) as it is shown; None where `history_entry` has none."""
        return await self._readers.ask(finished.find_run, job_id, user, self._show_result)

    async def history_entry(self, job_id: JobId) -> FinishedJob | None:
        """A finished run; None while it waits or runs, and for a job that was cancelled before it ran."""
        return await self._readers.ask(queries.history_entry, job_id)

    async def events_of(self, job_id: JobId) -> dict[str, Any] | None:
        """What happened in a finished run, as it was handed to `finish`; None when that is not known."""
        return await self._readers.ask(queries.events_of, job_id)

    async def measured_runs(
        self, read: Callable[[MeasuredRun], T], after: int, at_most: int, shortest_ms: int
    ) -> list[T]:
        """The latest runs that ended well after a place in the order of completion, each handed to `read`."""
        return await self._readers.ask(queries.measured_runs, read, after, at_most, shortest_ms)

    async def history_count(self) -> int:
        """How many finished runs `history` has."""
        return min(self._history_limit, self._writer.ledger.history)

    async def next_number(self) -> int:
        """Where the counter of job numbers goes on; see `queries.next_number`."""
        return await self._readers.ask(queries.next_number)

    async def list_jobs(self, job_filter: JobFilter | None = None, page: Page | None = None) -> JobPage:
        """A page of all stored jobs, in any state unless the filter says otherwise."""
        return await self._readers.ask(listing.list_jobs, self._index, job_filter or JobFilter(), page or Page())

    async def begin_listing(
        self, show: Callable[[ListedJob], Shown], job_filter: JobFilter, page: Page, *, at_once: int = 200
    ) -> Listing[Shown]:
        """The same as `list_jobs`, each job handed to `show` (in a thread).

        No more than `at_once` are read now; `more_listed` has the others.
        """
        return await self._readers.ask(listing.begin_listing, self._index, job_filter, page, show, at_once)

    async def more_listed(self, show: Callable[[ListedJob], Shown], sequences: Sequence[int]) -> list[Shown]:
        """Some of the `rest` of a listing, in order."""
        return await self._readers.ask(listing.show_jobs, sequences, show)

    @property
    def counts(self) -> Mapping[State, int]:
        """How many jobs are stored in each state."""
        return dict(self._writer.ledger.by_state)

    # -- webhooks ------------------------------------------------------------------------------------------------------

    @property
    def outbox(self) -> Outbox:
        """Who is told of jobs, and what is delivered to them."""
        return Outbox(self._writer, self._readers, self._clock)
