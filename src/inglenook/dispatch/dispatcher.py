"""Takes accepted jobs from the queue to a worker and to their end.

The store is the truth about jobs, this object the only one that changes it. In memory it keeps what waits and runs.
Told to the bus in this order: acceptance (after its commit), events as they come, the end (after its commit, so that a
client that reads the history on it finds the job there). The next job of a worker is started before that commit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from inglenook.dispatch import endings
from inglenook.dispatch.bus import Bus
from inglenook.dispatch.cancelling import Canceller
from inglenook.dispatch.errands import Errands
from inglenook.dispatch.held import HeldRuns
from inglenook.dispatch.intake import Intake, NewRun, as_needs
from inglenook.dispatch.lanes import Lanes, Told
from inglenook.dispatch.needs import Needs
from inglenook.dispatch.pool import ListChoices, Members
from inglenook.dispatch.recording import Recorder
from inglenook.dispatch.run import END_EVENTS, Run
from inglenook.dispatch.view import QueueView
from inglenook.engine.events import AnyEvent, Started
from inglenook.errors import JobError
from inglenook.jobs import AddOutcome, DeathCount, Job, JobStore, State, Webhook
from inglenook.workers.own_tasks import OwnTasks
from inglenook.workers.worker import Cause, Death, FarWorker, Request, Sent, Worker, WorkerListener

logger = logging.getLogger(__name__)

MAX_WORKER_DEATHS = 1
"""A job whose worker dies more often than this fails."""
MAX_LOST_ATTEMPTS = 4
"""The same where the attempts were lost by remote servers."""
_ALLOWED_DEATHS = {Cause.CRASH: MAX_WORKER_DEATHS, Cause.LOST: MAX_LOST_ATTEMPTS}


class Dispatcher(QueueView, WorkerListener):
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
        hold_s: float = 30.0,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """discard_attempts removes the files that attempts at these jobs wrote, before the next attempt.

        list_choices: what declared lists of choices hold on this machine. hold_s: how long jobs that other servers had
        when this one ended wait for these servers alone.
        """
        super().__init__()
        self.members = Members(workers, list_choices)
        self._held = HeldRuns(self.wake)
        self._hold_s = hold_s
        self._is_started = False
        self._store = store
        self._bus = bus
        self._on_worker_ready = on_worker_ready
        self._discard_attempts = discard_attempts
        self._clock_ms = clock_ms
        self._tasks = OwnTasks(logger, "the dispatcher")
        self._intake = Intake(
            store,
            self._waiting,
            self._accepting,
            self._accepted,
            queue_limit=queue_limit,
            queue_limit_bytes=queue_limit_bytes,
            job_timeout_s=job_timeout_s,
        )
        self._lanes = Lanes(bus, self._left)
        self._recorder = Recorder(
            store,
            self._tasks,
            clock_ms,
            ended=self._ends,
            committed=lambda told: self._lanes.drain(told.worker),
            works_again=self.wake,
        )
        self._errands = Errands(store, self._recorder, self.members)
        self._canceller = Canceller(store, bus, self._waiting, self._running, self, self.members, self._errands)
        self._is_closing = False
        self._is_paused = False
        self._number = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # -- life --------------------------------------------------------------------------------------------------------

    async def recover(self, needs_of: Callable[[Job], Needs | frozenset[str]]) -> None:
        """Queue what the store holds from before; what a dead attempt wrote is removed.

        Jobs that another server may have are held for that one, see `add_worker`.
        """
        jobs = await self._store.recover(lambda job: endings.lost_with_server(job, self._clock_ms()))
        self._discard_attempts([job.id for job in jobs])
        for job in jobs:
            run = Run(job.slim(), as_needs(needs_of(job)), ask_validators=True, errand=job.errand)
            self._errands.hold(run)
            self._enqueue(run)
        self._number = int(await self._store.next_number())
        self._is_paused = await self._store.is_queue_paused()
        if self._waiting:
            logger.info("%d jobs are waiting from before", len(self._waiting))

    async def start(self) -> None:
        """Start the workers; jobs run as soon as one is ready."""
        self._is_started = True
        for worker in self.workers:
            await self._start_worker(worker)
        self._errands.release_after(self._hold_s, self._look_at_all)

    async def close(self, grace_s: float) -> None:
        """Take no more jobs, let running ones end for `grace_s`, put the others back without counting the attempt."""
        if self._is_closing:
            return
        self._is_closing = self._intake.is_closed = self._recorder.is_closing = True
        if self._running:
            logger.info("waiting up to %g s for %d running jobs", grace_s, len(self._running))
            self._idle.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._idle.wait()
        left = [run for run in self._running.values() if run.end is None]
        for run in left:
            self._recorder.claim(run)
            del self._running[run.job.id]
        gone_on = {run.job.id for run in left if self._errands.let_go(run)}
        await asyncio.gather(*(worker.close() for worker in self.workers))
        for run in left:
            try:
                keeps = run.job.id in gone_on
                if await self._store.requeue(run.job.id, run.job.attempt, count="none", keeps_errand=keeps):
                    self._discard_attempts([run.job.id])
            except JobError as error:
                logger.error("job %s could not be put back: %s", run.job.id, error)
        self._held.close()
        self._recent.close()
        self._errands.close()
        await self._tasks.ended()
        for run in (*self._waiting, *left, *self._recent):
            run.log.close()

    def hurry(self) -> None:
        """Wait no longer for running jobs to end."""
        self._idle.set()

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
        return self._recorder.failing_writes > 0

    async def claimed(self) -> None:
        """Return when the store knows which jobs run: a listing of it then says what is told of them here."""
        await self._recorder.claimed(list(self._running.values()))

    def history_deleted(self, job_ids: Sequence[str] | None, user: str | None = None) -> None:
        """The history lost these jobs (all when None) of a user: they are no longer answered from memory."""
        self._recent.history_deleted(job_ids, user)

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
        return await self._intake.submit(NewRun(job, needed, secrets, ask_validators), webhooks)

    async def submit_all(
        self,
        news: Sequence[NewRun],
        webhooks: Sequence[Webhook] = (),
        beside: Callable[[Connection], None] | None = None,
    ) -> list[AddOutcome]:
        """Make several jobs durable in one transaction and queue them: all of them or none. Raises as `submit` does.

        webhooks: who is told of each. beside: further writes of the transaction.
        """
        return await self._intake.submit_all(news, webhooks, beside)

    def _accepted(self, runs: Sequence[Run]) -> None:
        for run in runs:
            self._enqueue(run)
            self._bus.queue_changed(self.remaining, run)
        self._refuse_unknown(runs)
        self.wake()

    def _enqueue(self, run: Run) -> None:
        self._waiting.add(run)
        run.log.add_state(State.queued.value)
        run.log.tell()

    def also_tell(self, job_id: str, client_id: str) -> None:
        """Let a client hear of a job that another one submitted, until it ends."""
        run = self.find(job_id)
        if run is not None and client_id not in run.client_ids:
            run.also_for.add(client_id)
            self._recent.tell(run, client_id)

    # -- jobs start ----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Give waiting jobs to free workers."""
        while not (self._is_closing or self._recorder.pauses or self._is_paused):
            free = (run for run in self._waiting if not run.is_held) if self._errands else iter(self._waiting)
            decision = self.members.decide(free, asyncio.get_running_loop().time())
            if decision.start is None:
                self._held.hold(decision.held)
                return
            for run in decision.held:
                run.overtaken += 1
            run, member = decision.start
            self._start(run, member.worker)

    def _start(self, run: Run, worker: Worker) -> None:
        run.waits_there = worker.has_queue
        self._begin(run, worker.name)
        if run.waits_there:
            run.job = replace(run.job, state=State.queued, started_ms=None)
        self.members.started(run, worker.name)
        worker.execute(self._request(run))
        self._bus.queue_changed(self.remaining, run)

    @staticmethod
    def _request(run: Run) -> Request:
        job = run.job
        extra_data = {**job.all_extra_data(), **run.secrets}
        return Request(job.id, job.attempt, job.graph, job.targets, extra_data, job.timeout_s, run.ask_validators)

    def _begin(self, run: Run, worker_name: str) -> None:
        """Take a run from the waiting ones into its next attempt."""
        self._errands.abandon(run)
        self._enter(run, worker_name, run.job.attempt + 1, self._clock_ms())

    def _enter(self, run: Run, worker_name: str, attempt: int, started_ms: int) -> None:
        self._waiting.remove(run.job.id)
        job = replace(run.job, state=State.running, attempt=attempt, worker=worker_name, started_ms=started_ms)
        run.begin_attempt(job, worker_name)
        self._running[job.id] = run
        self._recent.begin(run)
        self._recorder.claim_soon(run)

    def _refuse_unknown(self, runs: Collection[Run]) -> None:
        """End waiting jobs with a node class that no worker has, such as one of a pack that was removed."""
        for run in [run for run in runs if not (run.is_held or self.members.knows_all_classes(run.needs))]:
            lacking = {name: found["classes"] for name, found in self.members.lacking(run.needs).items()}
            self._begin(run, "")
            self._tell(run, "", endings.without_worker(lacking, self._clock_ms()))

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
        told = Told(run, events, isinstance(events[-1], END_EVENTS), run.log.last, worker_name)
        self._lanes.add(told)
        if told.is_end:
            self._recorder.finish(told)
        self._lanes.drain(worker_name)
        if told.is_end:
            self.wake()

    def _ends(self, run: Run, state: str) -> None:
        rest_s = self.members.ended(run, state)
        if rest_s:  # the server is left alone for a while, and no event tells when it is over
            asyncio.get_running_loop().call_later(rest_s + 0.01, self.wake)

    def _began_there(self, run: Run, started_ms: int | None) -> None:
        """A server has taken a job out of its queue."""
        run.waits_there = False
        run.job = job = replace(run.job, state=State.running, started_ms=started_ms or self._clock_ms())
        run.tell_running()
        if run.claim_timer is None:  # the claim is written, without the time at which it began
            self._recorder.note_start(job)
        self._bus.queue_changed(self.remaining, run)

    def _left(self, run: Run) -> None:
        self._running.pop(run.job.id, None)
        run.secrets.clear()
        self._recent.end(run)
        self._bus.queue_changed(self.remaining, run)
        self._bus.run_left(run)
        if not self._running:
            self._idle.set()

    def worker_died(self, worker: Worker, job_id: str | None, attempt: int, death: Death) -> None:
        run = self._running.get(job_id) if job_id is not None else None
        if run is None or run.job.attempt != attempt:
            return
        if death.cause is Cause.REFUSED and not run.is_cancelled:
            self._refused(run, worker, death)
            return
        if run.job.worker_deaths < _ALLOWED_DEATHS.get(death.cause, 0) and not run.is_cancelled:
            if death.cause is Cause.LOST:
                run.lost_on |= {worker.name}
            self.members.ended(run, "lost")
            self._tasks.start(self._retry(run, death))
            return
        self._tell(run, worker.name, endings.after_death(run, death, self._clock_ms()))

    def _refused(self, run: Run, worker: Worker, death: Death) -> None:
        """A server does not take the graph: the job goes to another one that can run it, and fails if there is none."""
        run.refused_by[worker.name] = death.reason
        if self.members.has_others(run):
            self.members.ended(run, "refused")
            self._tasks.start(self._retry(run, death, "none"))
            return
        by_all = replace(death, reason="\n".join(run.refused_by.values()))
        self._tell(run, worker.name, endings.after_death(run, by_all, self._clock_ms()))

    def worker_notice(self, worker: Worker, name: str, data: Any, client_id: str | None) -> None:
        self._lanes.notice(worker.name, name, data, client_id)

    async def _retry(self, run: Run, death: Death, count: DeathCount = "worker") -> None:
        """Put a job whose worker died, or was taken away, back into its place and remove what the attempt wrote."""
        job = run.job
        logger.warning("job %s goes back to the queue: %s", job.id, death.reason)
        self._recorder.claim(run)
        if not await self._recorder.write(run, lambda: self._store.requeue(job.id, job.attempt, count=count)):
            logger.error("job %s could not go back to the queue", job.id)
            self._running.pop(job.id, None)
            return
        await asyncio.to_thread(self._discard_attempts, [job.id])
        ending = endings.after_death(run, death, self._clock_ms()) if run.is_cancelled else None
        self._running.pop(job.id, None)
        run.job = replace(job, state=State.queued, worker_deaths=job.worker_deaths + (count == "worker"))
        run.worker = run.errand = None
        run.waits_there = False
        run.log.add_retry(death.reason)
        self._enqueue(run)
        if ending is not None:  # it was cancelled meanwhile
            self._begin(run, "")
            self._tell(run, "", ending)
        else:
            self._bus.run_retried(run, death.reason)
        self._bus.queue_changed(self.remaining, run)
        self.wake()

    # -- attempts that outlive a process -------------------------------------------------------------------------------

    def worker_sends(self, worker: FarWorker, job_id: str, attempt: int, sent: Sent) -> Awaitable[bool]:
        return asyncio.shield(self._tasks.start(self._note(worker.name, job_id, attempt, sent)))

    async def _note(self, worker_name: str, job_id: str, attempt: int, sent: Sent) -> bool:
        run = self._running.get(job_id)
        if run is None or run.job.attempt != attempt or run.end is not None:
            return False
        return await self._errands.note(run, worker_name, sent)

    def worker_found(self, worker: FarWorker, job_id: str, sent: Sent | None) -> None:
        run = self._waiting.get(job_id)
        errand = None if run is None else self._errands.found(run, worker.name, sent)
        if run is None or errand is None or sent is None:
            if sent is None:
                self.wake()
            return
        self._enter(run, worker.name, run.job.attempt, errand.started_ms or self._clock_ms())
        run.errand, run.is_adopted = errand, True
        self._recorder.claim_now(run)
        self.members.started(run, worker.name)
        worker.adopt(self._request(run), sent)
        self._bus.queue_changed(self.remaining, run)

    def _look_at_all(self) -> None:
        """Jobs that were held may be started anywhere now."""
        self._refuse_unknown(self.waiting())
        self.wake()

    def all_added(self) -> None:
        """All workers of the settings are there: jobs of others wait for nobody."""
        self._errands.release_unknown()
        self._look_at_all()

    # -- workers come and go -------------------------------------------------------------------------------------------

    async def add_worker(self, worker: Worker) -> None:
        """Give jobs to one more worker. Raises NameTaken."""
        self.members.add(worker)
        if self._is_started and not self._is_closing:
            await self._start_worker(worker)

    async def _start_worker(self, worker: Worker) -> None:
        self._errands.ask(worker)
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
        self._errands.release_unknown()
        left = [run for run in self._running.values() if run.worker == name and run.end is None]
        death = Death(Cause.LOST, f"worker {name} was removed")
        for run in left:
            self.members.ended(run, "lost")
            self._tasks.start(self._retry(run, death, "none"))
        await member.worker.close()
        self.wake()

    # -- control -------------------------------------------------------------------------------------------------------

    async def cancel_waiting(self, job_ids: Sequence[str] | None = None, user: str | None = None) -> list[str]:
        """Remove pending jobs (all when None) of a user; return the ids that were pending.

        Those that wait on another server are taken out of its queue; their end is told when that is done.
        """
        return await self._canceller.cancel_waiting(job_ids, user)

    def interrupt(self, job_id: str | None = None, user: str | None = None) -> bool:
        """Stop a running job (every one when None) of a user; return whether any was running.

        One that waits on another server is pending: see `cancel_waiting`. Once cancelled, it may be stopped by force.
        """
        return self._canceller.interrupt(job_id, user)

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
