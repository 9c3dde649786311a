"""Makes jobs durable before they wait, as many as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from inglenook.dispatch.needs import Needs, needs
from inglenook.dispatch.run import Run
from inglenook.dispatch.waiting import WaitingRuns
from inglenook.errors import JobError
from inglenook.jobs import Added, AddOutcome, Job, JobStore, Webhook


class QueueFull(JobError):
    """The queue has no room for another job."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"the queue holds {limit}, which is its limit; try again later")
        self.limit = limit


class ShuttingDown(JobError):
    """The server no longer takes jobs."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down and takes no new jobs")


@dataclass(frozen=True, slots=True)
class NewRun:
    """A job with what the dispatcher needs to know of it."""

    job: Job
    needs: Needs | frozenset[str]
    secrets: Mapping[str, Any]
    ask_validators: bool


def as_needs(needed: Needs | frozenset[str]) -> Needs:
    """Needs that are node classes alone, as needs."""
    return needed if isinstance(needed, Needs) else needs(needed)


class Intake:
    """Where jobs come in."""

    def __init__(
        self,
        store: JobStore,
        waiting: WaitingRuns,
        accepting: dict[str, Run],
        accepted: Callable[[Sequence[Run]], None],
        *,
        queue_limit: int,
        queue_limit_bytes: int | None,
        job_timeout_s: float | None,
    ) -> None:
        """accepting: holds runs by job id while they are made durable.

        accepted: is told of runs whose jobs are in the store now.
        """
        self.is_closed = False
        self._store = store
        self._waiting = waiting
        self._accepting = accepting
        self._accepted = accepted
        self._queue_limit = queue_limit
        self._queue_limit_bytes = queue_limit_bytes
        self._job_timeout_s = job_timeout_s

    async def submit(self, new: NewRun, webhooks: Sequence[Webhook]) -> AddOutcome:
        """Make a job durable. Raises QueueFull, ShuttingDown, or what the store raises."""
        if self.is_closed:
            raise ShuttingDown
        self._check_room(new.job.size_bytes)
        run = self._run(new)
        self._accepting.setdefault(run.job.id, run)
        try:
            outcome = await self._store.add(run.job, webhooks)
        finally:
            if self._accepting.get(run.job.id) is run:
                del self._accepting[run.job.id]
        if isinstance(outcome, Added):
            run.job = outcome.job.slim()
            self._accepted([run])
        return outcome

    async def submit_all(
        self, news: Sequence[NewRun], webhooks: Sequence[Webhook], beside: Callable[[Connection], None] | None
    ) -> list[AddOutcome]:
        """Make several jobs durable in one transaction: all of them or none. Raises as `submit` does."""
        if self.is_closed:
            raise ShuttingDown
        self._check_room(sum(new.job.size_bytes for new in news), len(news))
        runs = [self._run(new) for new in news]
        self._accepting.update((run.job.id, run) for run in runs)
        try:
            outcomes = await self._store.add_all([run.job for run in runs], webhooks, beside)
        finally:
            for run in runs:
                self._accepting.pop(run.job.id, None)
        added = [run for run, outcome in zip(runs, outcomes, strict=True) if isinstance(outcome, Added)]
        for run in added:
            run.job = run.job.slim()
        self._accepted(added)
        return outcomes

    def _run(self, new: NewRun) -> Run:
        job = new.job
        if job.timeout_s is None and self._job_timeout_s is not None:
            job = replace(job, timeout_s=self._job_timeout_s)
        return Run(job, as_needs(new.needs), dict(new.secrets), new.ask_validators)

    def _check_room(self, size_bytes: int, count: int = 1) -> None:
        if len(self._waiting) + len(self._accepting) + count > self._queue_limit:
            raise QueueFull(f"{self._queue_limit} jobs")
        limit = self._queue_limit_bytes
        if limit is not None and self._waiting:
            accepting = sum(run.job.size_bytes for run in self._accepting.values())
            if self._waiting.size_bytes + accepting + size_bytes > limit:
                raise QueueFull(f"jobs of {limit / (1 << 20):g} MB")
