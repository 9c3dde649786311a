"""Takes accepted jobs from the queue to a worker and to their end.

The store is the truth about jobs, this object the only one that changes it. In memory it keeps what waits and runs.
Told to the bus in this order: acceptance (after its commit), events as they come, the end (after its commit, so that a
client that reads the history on it finds the job there). The next job of a worker is started before that commit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection

from inglenook.dispatch import endings
from inglenook.dispatch.bus import Bus
from inglenook.dispatch.needs import Needs, needs
from inglenook.dispatch.pool import ListChoices, Members
from inglenook.dispatch.run import END_EVENTS, Run
from inglenook.dispatch.waiting import WaitingRuns
from inglenook.engine.events import AnyEvent, Started
from inglenook.errors import JobError
from inglenook.jobs import (
    Added,
    AddOutcome,
    DeathCount,
    Job,
    JobRejected,
    JobResult,
    JobStore,
    JobStoreClosed,
    JobStoreError,
    State,
    Webhook,
)
from inglenook.jobs.starts import note_start
from inglenook.workers.worker import Cause, Death, Request, Worker, WorkerListener

logger = logging.getLogger(__name__)

REPLAY_S = 60.0
"""How long after its end a run is kept for sockets that come late."""
_MOST_REPLAYED = 500
_MOST_HELD_BACK = 10_000
_CLAIM_AFTER_S = 0.02
_STORE_PAUSE_S = 1.0
_LOOK_AGAIN_S = 0.5
"""How often jobs that wait for workers with their models are looked at when nothing happens."""
MAX_WORKER_DEATHS = 1
"""A job whose worker dies more often than this fails."""
MAX_LOST_ATTEMPTS = 4
"""The same where the attempts were lost by remote servers."""
_ALLOWED_DEATHS = {Cause.CRASH: MAX_WORKER_DEATHS, Cause.LOST: MAX_LOST_ATTEMPTS}


class QueueFull(JobError):
    """The queue has no room for another job."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"the queue holds {limit}, which is its limit; try again later")
        self.limit = limit


class ShuttingDown(JobError):
    """The server no longer takes jobs."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down and takes no new jobs")


@dataclass(slots=True)
class _Told:
    """Events of a run that wait for their turn on the bus; an end waits for its commit too."""

    run: Run
    events: Sequence[AnyEvent]
    is_end: bool
    last_number: int
    """Of the events in the log of the run, without the end."""
    is_committed: bool = False


@dataclass(frozen=True, slots=True)
class _Notice:
    """A message of a node pack that waits for its turn on the bus."""

    name: str
    data: Any
    client_id: str | None


def _as_needs(needed: Needs | frozenset[str]) -> Needs:
    """Needs that are node classes alone, as needs."""
    return needed if isinstance(needed, Needs) else needs(needed)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A job with what the dispatcher needs to know of it."""

    job: Job
    needs: Needs | frozenset[str]
    secrets: Mapping[str, Any]
    ask_validators: bool


class Dispatcher(WorkerListener):
    """Owns the queue and the workers."""

    def __init__(
        self,
        store: JobStore,
        bus: Bus,
        workers: Sequence[Worker],
        *,
        queue_limit: int = 10_000,
        queue_limit_bytes: int | None = None,
        job_timeout_s: float | None = None,
        on_worker_ready: Callable[[Worker], None] = lambda worker: None,
        discard_attempts: Callable[[Collection[str]], object] = lambda job_ids: None,
        list_choices: ListChoices = lambda source: (),
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """discard_attempts removes the files that attempts at these jobs wrote, before the next attempt.

        list_choices: what declared lists of choices hold on this machine.
        """
        self.members = Members(workers, list_choices)
        self._held: Sequence[Run] = ()
        self._look_again: asyncio.TimerHandle | None = None
        self._is_started = False
        self._store = store
        self._bus = bus
        self._queue_limit = queue_limit
        self._queue_limit_bytes = queue_limit_bytes
        self._job_timeout_s = job_timeout_s
        self._on_worker_ready = on_worker_ready
        self._discard_attempts = discard_attempts
        self._clock_ms = clock_ms
        self._waiting = WaitingRuns()
        self._accepting: dict[str, Run] = {}
        self._running: dict[str, Run] = {}
        self._ended: dict[str, Run] = {}
        self._by_client: dict[str, dict[str, Run]] = {}
        self._lanes: dict[str, deque[_Told | _Notice]] = {}
        """Per worker: what its runs have told and the bus has not heard yet."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failing_writes = 0
        self._pauses = 0
        """How many writes wait for the store to work again; nothing is started meanwhile."""
        self._is_closing = False
        self._is_paused = False
        self._sweep: asyncio.TimerHandle | None = None
        self._number = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # -- life --------------------------------------------------------------------------------------------------------

    async def recover(self, needs_of: Callable[[Job], Needs | frozenset[str]]) -> None:
        """Queue what the store holds from before; what a dead attempt wrote is removed."""
        jobs = await self._store.recover(lambda job: endings.lost_with_server(job, self._clock_ms()))
        self._discard_attempts([job.id for job in jobs])
        for job in jobs:
            self._enqueue(Run(job.slim(), _as_needs(needs_of(job)), ask_validators=True))
        self._number = int(await self._store.next_number())
        self._is_paused = await self._store.is_queue_paused()
        if self._waiting:
            logger.info("%d jobs are waiting from before", len(self._waiting))

    async def start(self) -> None:
        """Start the workers; jobs run as soon as one is ready."""
        self._is_started = True
        for worker in self.workers:
            await worker.start(self)

    async def close(self, grace_s: float) -> None:
        """Take no more jobs, let running ones end for `grace_s`, put the others back without counting the attempt."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._running:
            logger.info("waiting up to %g s for %d running jobs", grace_s, len(self._running))
            self._idle.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._idle.wait()
        left = [run for run in self._running.values() if run.end is None]
        for run in left:
            self._claim(run)
            del self._running[run.job.id]
        await asyncio.gather(*(worker.close() for worker in self.workers))
        for run in left:
            try:
                if await self._store.requeue(run.job.id, run.job.attempt, count="none"):
                    self._discard_attempts([run.job.id])
            except JobError as error:
                logger.error("job %s could not be put back: %s", run.job.id, error)
        for timer in (self._sweep, self._look_again):
            if timer is not None:
                timer.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for run in (*self._waiting, *left, *self._ended.values()):
            run.log.close()

    def hurry(self) -> None:
        """Wait no longer for running jobs to end."""
        self._idle.set()

    def _own(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the dispatcher failed", exc_info=task.exception())

    # -- what others see ---------------------------------------------------------------------------------------------

    @property
    def workers(self) -> list[Worker]:
        """All workers, also those that get no more jobs."""
        return self.members.workers

    @property
    def is_closing(self) -> bool:
        """No more jobs are taken."""
        return self._is_closing

    @property
    def waits_for_store(self) -> bool:
        """Something that must be written down cannot be, so no job is started."""
        return self._failing_writes > 0

    @property
    def remaining(self) -> int:
        """Pending and running jobs."""
        return len(self._waiting) + len(self._running)

    def remaining_of(self, user: str | None) -> int:
        """Pending and running jobs of one user, of all when None."""
        running = sum(user in (None, run.job.user) for run in self._running.values())
        return self._waiting.count(user) + running

    def waiting(self, user: str | None = None) -> list[Run]:
        """Pending runs (of one user), in the order in which they will be taken; first those that wait on servers."""
        return [run for run in (*self.waiting_there(), *self._waiting) if user in (None, run.job.user)]

    def waiting_there(self) -> list[Run]:
        """Runs in the queues of other servers, in the order in which they got there."""
        return [run for run in self._running.values() if run.is_pending]

    def first_waiting(self, count: int) -> list[Run]:
        """The pending runs that will be taken next, at most so many."""
        return list(islice(chain(self.waiting_there(), self._waiting), count))

    def position(self, job_id: str) -> int | None:
        """The place of a pending job in the queue, 1 is next; None when it does not wait."""
        there: list[str] = [run.job.id for run in self.waiting_there()]
        if job_id in there:
            return there.index(job_id) + 1
        place = self._waiting.position(job_id)
        return None if place is None else place + len(there)

    def running(self, user: str | None = None) -> list[Run]:
        """Runs that have begun (of one user)."""
        return [run for run in self._running.values() if not run.waits_there and user in (None, run.job.user)]

    def find(self, job_id: str, user: str | None = None) -> Run | None:
        """The run of a job (of one user) that waits, runs, or ended within the last minute."""
        run = (
            self._running.get(job_id)
            or self._waiting.get(job_id)
            or self._accepting.get(job_id)
            or self._ended.get(job_id)
        )
        return None if run is None or (user is not None and run.job.user != user) else run

    def recent(self, client_id: str) -> list[Run]:
        """Runs of a client that run or ended within the last minute, oldest first."""
        self._forget_old()
        return list(self._by_client.get(client_id, {}).values())

    def history_deleted(self, job_ids: Sequence[str] | None, user: str | None = None) -> None:
        """The history lost these jobs (all when None) of a user: they are no longer answered from memory."""
        for job_id in list(self._ended) if job_ids is None else job_ids:
            run = self._ended.get(job_id)
            if run is not None and (user is None or run.job.user == user):
                run.is_deleted = True

    def next_number(self) -> int:
        """Count a submission, also one that will be refused."""
        number = self._number
        self._number += 1
        return number

    # -- jobs in ------------------------------------------------------------------------------------------------------

    async def submit(
        self,
        job: Job,
        needed: Needs | frozenset[str],
        secrets: dict[str, Any],
        *,
        ask_validators: bool = False,
        webhooks: Sequence[Webhook] = (),
    ) -> AddOutcome:
        """Make a job durable and queue it. Raises QueueFull, ShuttingDown, or what the store raises.

        ask_validators: the validators of its node classes could not be asked yet. webhooks: who is told of the job,
        noted in the same transaction.
        """
        if self._is_closing:
            raise ShuttingDown
        self._check_room(job.size_bytes)
        job = self._with_limit(job)
        run = Run(job, _as_needs(needed), secrets, ask_validators)
        self._accepting.setdefault(job.id, run)
        try:
            outcome = await self._store.add(job, webhooks)
        finally:
            if self._accepting.get(job.id) is run:
                del self._accepting[job.id]
        if isinstance(outcome, Added):
            run.job = outcome.job.slim()
            self._enqueue(run)
            self._bus.queue_changed(self.remaining, run)
            self._refuse_unknown([run])
            self.wake()
        return outcome

    async def submit_all(
        self,
        news: Sequence[NewRun],
        webhooks: Sequence[Webhook] = (),
        beside: Callable[[Connection], None] | None = None,
    ) -> list[AddOutcome]:
        """Make several jobs durable in one transaction and queue them: all of them or none. Raises as `submit` does.

        webhooks: who is told of each. beside: further writes of the transaction.
        """
        if self._is_closing:
            raise ShuttingDown
        self._check_room(sum(new.job.size_bytes for new in news), len(news))
        runs = [
            Run(self._with_limit(new.job), _as_needs(new.needs), dict(new.secrets), new.ask_validators) for new in news
        ]
        self._accepting.update((run.job.id, run) for run in runs)
        try:
            outcomes = await self._store.add_all([run.job for run in runs], webhooks, beside)
        finally:
            for run in runs:
                self._accepting.pop(run.job.id, None)
        added = [run for run, outcome in zip(runs, outcomes, strict=True) if isinstance(outcome, Added)]
        for run in added:
            run.job = run.job.slim()
            self._enqueue(run)
            self._bus.queue_changed(self.remaining, run)
        self._refuse_unknown(added)
        self.wake()
        return outcomes

    def _enqueue(self, run: Run) -> None:
        self._waiting.add(run)
        run.log.add_state(State.queued.value)
        run.log.tell()

    def _with_limit(self, job: Job) -> Job:
        if job.timeout_s is None and self._job_timeout_s is not None:
            return replace(job, timeout_s=self._job_timeout_s)
        return job

    def _check_room(self, size_bytes: int, count: int = 1) -> None:
        if len(self._waiting) + len(self._accepting) + count > self._queue_limit:
            raise QueueFull(f"{self._queue_limit} jobs")
        limit = self._queue_limit_bytes
        if limit is not None and self._waiting:
            accepting = sum(run.job.size_bytes for run in self._accepting.values())
            if self._waiting.size_bytes + accepting + size_bytes > limit:
                raise QueueFull(f"jobs of {limit / (1 << 20):g} MB")

    def also_tell(self, job_id: str, client_id: str) -> None:
        """Let a client hear of a job that another one submitted, until it ends."""
        run = self.find(job_id)
        if run is not None and client_id not in run.client_ids:
            run.also_for.add(client_id)
            self._by_client.setdefault(client_id, {})[job_id] = run

    def wake(self) -> None:
        """Give waiting jobs to free workers."""
        while not (self._is_closing or self._pauses or self._is_paused):
            decision = self.members.decide(iter(self._waiting), asyncio.get_running_loop().time())
            if decision.start is None:
                self._hold(decision.held)
                return
            for run in decision.held:
                run.overtaken += 1
            run, member = decision.start
            self._start(run, member.worker)

    def _hold(self, runs: Sequence[Run]) -> None:
        """Remember which jobs wait for workers that have their models, and look again soon."""
        loop = asyncio.get_running_loop()
        still = {run.job.id for run in runs}
        for run in self._held:
            if run.job.id not in still:
                run.held_since = None
        for run in runs:
            run.held_since = loop.time() if run.held_since is None else run.held_since
        self._held = runs
        if runs and self._look_again is None:
            self._look_again = loop.call_later(_LOOK_AGAIN_S, self._look)

    def _look(self) -> None:
        self._look_again = None
        self.wake()

    def _start(self, run: Run, worker: Worker) -> None:
        run.waits_there = bool(getattr(worker, "has_queue", False))
        self._begin(run, worker.name)
        if run.waits_there:
            run.job = replace(run.job, state=State.queued, started_ms=None)
        self.members.started(run, worker.name)
        job = run.job
        extra_data = {**job.all_extra_data(), **run.secrets}
        worker.execute(
            Request(job.id, job.attempt, job.graph, job.targets, extra_data, job.timeout_s, run.ask_validators)
        )
        self._bus.queue_changed(self.remaining, run)

    def _begin(self, run: Run, worker_name: str) -> None:
        """Take a run from the waiting ones into its next attempt."""
        self._waiting.remove(run.job.id)
        job = replace(
            run.job, state=State.running, attempt=run.job.attempt + 1, worker=worker_name, started_ms=self._clock_ms()
        )
        run.begin_attempt(job, worker_name)
        self._running[job.id] = run
        for client_id in run.client_ids:
            self._by_client.setdefault(client_id, {})[job.id] = run
        run.claim_timer = asyncio.get_running_loop().call_later(_CLAIM_AFTER_S, self._claim, run)

    def _refuse_unknown(self, runs: Collection[Run]) -> None:
        """End waiting jobs with a node class that no worker has, such as one of a pack that was removed."""
        for run in [run for run in runs if not self.members.knows_all_classes(run.needs)]:
            lacking = {name: found["classes"] for name, found in self.members.lacking(run.needs).items()}
            self._begin(run, "")
            self._tell(run, "", endings.without_worker(lacking, self._clock_ms()))

    def _claim(self, run: Run) -> None:
        """Write down who runs the job, if that has not been done.

        Not awaited, since the writer keeps the order and a local worker dies with this process; and not at once: most
        short jobs end before, and then claim and end are one commit.
        """
        if run.claim_timer is None:
            return
        run.claim_timer.cancel()
        run.claim_timer = None
        job = run.job
        future = self._store.claim(job.id, job.worker or "", job.attempt, started_ms=job.started_ms)
        future.add_done_callback(lambda done: self._claimed(run, job, done))

    def _claimed(self, run: Run, job: Job, done: asyncio.Future[bool]) -> None:
        error = done.exception()
        if error is not None:
            logger.error("attempt %d at job %s is not written down: %s", job.attempt, job.id, error)
        elif run.job.attempt == job.attempt:
            run.is_claimed = done.result()

    async def _write(self, run: Run, write: Callable[[], Awaitable[bool]]) -> bool:
        """Do a write that needs the claim of the attempt; while the store does not work, nothing new is started.

        False when the write was too late, or when the server stops before the store works again.
        """
        self._pauses += 1
        has_failed = False
        try:
            while True:
                try:
                    if not run.is_claimed:
                        job = run.job
                        claim = self._store.claim(job.id, job.worker or "", job.attempt, started_ms=job.started_ms)
                        run.is_claimed = await claim
                    return await write()
                except JobStoreError as error:
                    logger.error("the queue pauses: %s", error)
                    self._failing_writes += not has_failed
                    has_failed = True
                    if self._is_closing or isinstance(error, JobStoreClosed):
                        return False
                await asyncio.sleep(_STORE_PAUSE_S)
        finally:
            self._pauses -= 1
            self._failing_writes -= has_failed
            self.wake()

    # -- a worker speaks -----------------------------------------------------------------------------------------------

    def worker_ready(self, worker: Worker) -> None:
        self._on_worker_ready(worker)
        self._refuse_unknown(list(self._waiting))
        self.wake()

    def worker_events(self, worker: Worker, job_id: str, attempt: int, events: Sequence[AnyEvent]) -> None:
        run = self._running.get(job_id)
        if run is not None and run.job.attempt == attempt:
            self._tell(run, worker.name, endings.explained(run, events))

    def _tell(self, run: Run, worker_name: str, events: Sequence[AnyEvent]) -> None:
        """Note events of a running job and pass them on in their turn."""
        if run.waits_there:
            self._began_there(run, next((event.time_ms for event in events if isinstance(event, Started)), None))
        run.record(events)
        told = _Told(run, events, is_end=isinstance(events[-1], END_EVENTS), last_number=run.log.last)
        self._lanes.setdefault(worker_name, deque()).append(told)
        if told.is_end:
            self._finish(told, worker_name)
        self._drain(worker_name)
        if told.is_end:
            self.wake()

    def _began_there(self, run: Run, started_ms: int | None) -> None:
        """A server has taken a job out of its queue."""
        run.waits_there = False
        run.job = job = replace(run.job, state=State.running, started_ms=started_ms or self._clock_ms())
        run.tell_running()
        if run.claim_timer is None:  # the claim is written, without the time at which it began
            noted = self._store.write(note_start, job.id, job.attempt, job.started_ms or 0)
            noted.add_done_callback(lambda done: self._start_noted(job, done))
        self._bus.queue_changed(self.remaining, run)

    @staticmethod
    def _start_noted(job: Job, done: asyncio.Future[None]) -> None:
        if not done.cancelled() and done.exception() is not None:
            logger.warning("the start of job %s is not written down: %s", job.id, done.exception())

    def _drain(self, worker_name: str) -> None:
        """Tell the bus what may be told: everything up to an end that is not committed yet."""
        lane = self._lanes[worker_name]
        while lane:
            told = lane[0]
            if isinstance(told, _Notice):
                lane.popleft()
                self._bus.notice(told.name, told.data, told.client_id)
                continue
            run = told.run
            if told.is_end and not told.is_committed:
                run.log.tell(told.last_number)
                if len(told.events) > 1:
                    self._bus.run_events(told.run, told.events[:-1])
                    told.events = told.events[-1:]
                return
            lane.popleft()
            told.run.is_told = True
            told.run.is_committed = told.is_end
            run.log.tell(None if told.is_end else told.last_number)
            self._bus.run_events(told.run, told.events)
            if told.is_end:
                self._left(told.run)

    def _left(self, run: Run) -> None:
        self._running.pop(run.job.id, None)
        self._ended[run.job.id] = run
        run.secrets.clear()
        loop = asyncio.get_running_loop()
        run.left_at = loop.time()
        self._forget_old()
        if self._sweep is None:
            self._sweep = loop.call_later(REPLAY_S / 2, self._sweep_again)
        self._bus.queue_changed(self.remaining, run)
        self._bus.run_left(run)
        if not self._running:
            self._idle.set()

    def _forget_old(self) -> None:
        """Drop runs that ended long ago, or before many others: the store answers for them."""
        horizon = asyncio.get_running_loop().time() - REPLAY_S
        while self._ended:
            run = next(iter(self._ended.values()))
            if run.left_at > horizon and len(self._ended) <= _MOST_REPLAYED:
                return
            del self._ended[run.job.id]
            for client_id in run.client_ids:
                runs = self._by_client.get(client_id, {})
                runs.pop(run.job.id, None)
                if not runs:
                    self._by_client.pop(client_id, None)
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _sweep_again(self) -> None:
        """Forget old runs also when no job ends."""
        self._sweep = None
        self._forget_old()
        if self._ended:
            self._sweep = asyncio.get_running_loop().call_later(REPLAY_S / 2, self._sweep_again)

    def _finish(self, told: _Told, worker_name: str) -> None:
        """Record the end of a run; the bus hears of it once that is committed."""
        run = told.run
        run.result = endings.result_of(run)
        run.log.set_end(run.result.state.value, run.result.error)
        run.job = replace(run.job, state=run.result.state, ended_ms=run.result.ended_ms)
        self._claim(run)
        self.members.ended(run, run.result.state.value)
        try:
            future = self._store.finish(run.job.id, run.job.attempt, _with_events(run, run.result))
        except JobRejected as error:
            self._finish_otherwise(told, worker_name, error)
            return
        future.add_done_callback(lambda done: self._finished(told, worker_name, done))

    def _finish_otherwise(self, told: _Told, worker_name: str, error: JobRejected) -> None:
        """Record that the end of a run cannot be recorded."""
        logger.error("%s", error)
        end = endings.unstorable(told.run, error.reason, self._clock_ms())
        told.events = [*told.events[:-1], end]
        told.run.end = end
        told.run.blocked = []
        self._finish(told, worker_name)

    def _finished(self, told: _Told, worker_name: str, done: asyncio.Future[bool]) -> None:
        error = done.exception()
        if isinstance(error, JobRejected) and told.run.end is not None and told.run.end.outputs:
            self._finish_otherwise(told, worker_name, error)
        elif isinstance(error, JobStoreError) or not (error or done.result() or told.run.is_claimed):
            self._own(self._finish_later(told, worker_name))
        else:
            self._committed(told, worker_name, was_recorded=error is None and done.result())

    async def _finish_later(self, told: _Told, worker_name: str) -> None:
        """Record the end of a run that the store could not take at once."""
        run = told.run
        assert run.result is not None
        stored = _with_events(run, run.result)
        recorded = await self._write(run, lambda: self._store.finish(run.job.id, run.job.attempt, stored))
        if recorded or not self._is_closing:
            self._committed(told, worker_name, was_recorded=recorded)

    def _committed(self, told: _Told, worker_name: str, *, was_recorded: bool) -> None:
        if not was_recorded:
            logger.error("the end of job %s was not recorded: the store has another", told.run.job.id)
        told.is_committed = True
        self._drain(worker_name)

    def worker_died(self, worker: Worker, job_id: str | None, attempt: int, death: Death) -> None:
        run = self._running.get(job_id) if job_id is not None else None
        if run is None or run.job.attempt != attempt:
            return
        if run.job.worker_deaths < _ALLOWED_DEATHS.get(death.cause, 0) and not run.is_cancelled:
            if death.cause is Cause.LOST:
                run.lost_on |= {worker.name}
            self.members.ended(run, "lost")
            self._own(self._retry(run, death))
            return
        self._tell(run, worker.name, endings.after_death(run, death, self._clock_ms()))

    def worker_notice(self, worker: Worker, name: str, data: Any, client_id: str | None) -> None:
        """Passed on behind what is held back of the worker's runs, unless that is much: the store may be down."""
        lane = self._lanes.get(worker.name)
        if lane and len(lane) < _MOST_HELD_BACK:
            lane.append(_Notice(name, data, client_id))
        else:
            self._bus.notice(name, data, client_id)

    async def _retry(self, run: Run, death: Death, count: DeathCount = "worker") -> None:
        """Put a job whose worker died, or was taken away, back into its place and remove what the attempt wrote."""
        job = run.job
        logger.warning("job %s goes back to the queue: %s", job.id, death.reason)
        self._claim(run)
        if not await self._write(run, lambda: self._store.requeue(job.id, job.attempt, count=count)):
            logger.error("job %s could not go back to the queue", job.id)
            self._running.pop(job.id, None)
            return
        await asyncio.to_thread(self._discard_attempts, [job.id])
        ending = endings.after_death(run, death, self._clock_ms()) if run.is_cancelled else None
        self._running.pop(job.id, None)
        run.job = replace(job, state=State.queued, worker_deaths=job.worker_deaths + (count == "worker"))
        run.worker, run.waits_there = None, False
        run.log.add_retry(death.reason)
        self._enqueue(run)
        if ending is not None:  # it was cancelled meanwhile
            self._begin(run, "")
            self._tell(run, "", ending)
        else:
            self._bus.run_retried(run, death.reason)
        self._bus.queue_changed(self.remaining, run)
        self.wake()

    # -- workers come and go -------------------------------------------------------------------------------------------

    async def add_worker(self, worker: Worker) -> None:
        """Give jobs to one more worker. Raises NameTaken."""
        self.members.add(worker)
        if self._is_started and not self._is_closing:
            await worker.start(self)

    def drain(self, name: str, *, is_draining: bool = True) -> None:
        """Give a worker no more jobs, or jobs again; what it runs ends there."""
        member = self.members.get(name)
        if member is not None:
            member.is_draining = is_draining
            self.wake()

    async def remove_worker(self, name: str) -> None:
        """Do without a worker, at once: what it runs goes back to the queue, and no attempt is counted."""
        member = self.members.remove(name)
        if member is None:
            return
        left = [run for run in self._running.values() if run.worker == name and run.end is None]
        death = Death(Cause.LOST, f"worker {name} was removed")
        for run in left:
            self.members.ended(run, "lost")
            self._own(self._retry(run, death, "none"))
        await member.worker.close()
        self.wake()

    def runs_of(self, name: str) -> int:
        """How many jobs a worker has."""
        return sum(run.worker == name and run.end is None for run in self._running.values())

    # -- control -------------------------------------------------------------------------------------------------------

    async def cancel_waiting(self, job_ids: Sequence[str] | None = None, user: str | None = None) -> list[str]:
        """Remove pending jobs (all when None) of a user; return the ids that were pending.

        Those that wait on another server are taken out of its queue; their end is told when that is done.
        """
        there = [run for run in self.waiting_there() if user in (None, run.job.user)]
        there = there if job_ids is None else [run for run in there if run.job.id in job_ids]
        if job_ids is None or user is not None:
            wanted = None if job_ids is None else frozenset(job_ids)
            mine: list[str] = [run.job.id for run in self._waiting if user in (None, run.job.user)]
            chosen = mine if wanted is None else [job_id for job_id in mine if job_id in wanted]
        else:
            chosen = list(dict.fromkeys(job_ids))
        runs = [run for job_id in chosen if (run := self._waiting.remove(job_id)) is not None]
        if runs:
            try:
                await self._store.cancel_queued([run.job.id for run in runs])
            except JobError:
                for run in runs:
                    self._waiting.add(run)
                raise
            for run in runs:
                run.log.set_end(State.cancelled.value)
                run.log.tell()
            self._bus.queue_changed(self.remaining)
            self._bus.runs_cancelled(runs)
        for run in there:
            self._stop(run)
        return [run.job.id for run in (*there, *runs)]

    def interrupt(self, job_id: str | None = None, user: str | None = None) -> bool:
        """Stop a running job (every one when None) of a user; return whether any was running.

        One that waits on another server is pending: see `cancel_waiting`. Once cancelled, it may be stopped by force.
        """
        runs = [run for run in self._running.values() if not run.is_pending and user in (None, run.job.user)]
        runs = [run for run in runs if job_id in (None, run.job.id) and run.end is None]
        for run in runs:
            self._stop(run)
        return bool(runs)

    def _stop(self, run: Run) -> None:
        run.is_cancelled = True
        member = self.members.get(run.worker or "")
        if member is not None:
            member.worker.interrupt(run.job.id)

    @property
    def is_paused(self) -> bool:
        """Nothing is started until `resume`; what runs goes on, and jobs are accepted."""
        return self._is_paused

    async def pause(self) -> None:
        """Start no more jobs, also after a restart of the server."""
        await self._store.set_queue_paused(True)
        self._is_paused = True

    async def resume(self) -> None:
        """Start jobs again."""
        await self._store.set_queue_paused(False)
        self._is_paused = False
        self.wake()

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        """Ask every worker to give memory back once its run has ended."""
        for worker in self.workers:
            worker.free(unload_models=unload_models, free_memory=free_memory)


def _with_events(run: Run, result: JobResult) -> JobResult:
    """A result with what happened in its run, as it is stored."""
    return replace(result, events=run.log.stored())
