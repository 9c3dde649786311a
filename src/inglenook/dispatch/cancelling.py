"""Takes waiting jobs out of the queue and has running ones stopped, by the wish of their users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inglenook.dispatch.bus import Bus
from inglenook.dispatch.errands import Errands
from inglenook.dispatch.pool import Members
from inglenook.dispatch.run import Run
from inglenook.dispatch.view import QueueView
from inglenook.dispatch.waiting import WaitingRuns
from inglenook.errors import JobError
from inglenook.jobs import JobStore, State


class Canceller:
    """Of the jobs of one dispatcher."""

    def __init__(
        self,
        store: JobStore,
        bus: Bus,
        waiting: WaitingRuns,
        running: Mapping[str, Run],
        view: QueueView,
        members: Members,
        errands: Errands,
    ) -> None:
        self._store = store
        self._bus = bus
        self._waiting = waiting
        self._running = running
        self._view = view
        self._members = members
        self._errands = errands

    async def cancel_waiting(self, job_ids: Sequence[str] | None, user: str | None) -> list[str]:
        """See `Dispatcher.cancel_waiting`."""
        there = [run for run in self._view.waiting_there() if user in (None, run.job.user)]
        there = there if job_ids is None else [run for run in there if run.job.id in job_ids]
        runs = [run for job_id in self._chosen(job_ids, user) if (run := self._waiting.remove(job_id)) is not None]
        if runs:
            await self._cancel(runs)
        for run in there:
            self._stop(run)
        return [run.job.id for run in (*there, *runs)]

    def _chosen(self, job_ids: Sequence[str] | None, user: str | None) -> list[str]:
        """Which of these jobs (of all when None) may be taken out, in the order in which they wait if there is one."""
        if job_ids is not None and user is None:
            return list(dict.fromkeys(job_ids))
        wanted = None if job_ids is None else frozenset(job_ids)
        mine: list[str] = [run.job.id for run in self._waiting if user in (None, run.job.user)]
        return mine if wanted is None else [job_id for job_id in mine if job_id in wanted]

    async def _cancel(self, runs: Sequence[Run]) -> None:
        """End runs that have been taken out; they are put back if the store fails."""
        try:
            await self._store.cancel_queued([run.job.id for run in runs])
        except JobError:
            for run in runs:
                self._waiting.add(run)
            raise
        for run in runs:
            self._errands.abandon(run)
            run.log.set_end(State.cancelled.value)
            run.log.tell()
        self._bus.queue_changed(self._view.remaining)
        self._bus.runs_cancelled(runs)

    def interrupt(self, job_id: str | None, user: str | None) -> bool:
        """See `Dispatcher.interrupt`."""
        runs = [run for run in self._running.values() if not run.is_pending and user in (None, run.job.user)]
        runs = [run for run in runs if job_id in (None, run.job.id) and run.end is None]
        for run in runs:
            self._stop(run)
        return bool(runs)

    def _stop(self, run: Run) -> None:
        run.is_cancelled = True
        member = self._members.get(run.worker or "")
        if member is not None:
            member.worker.interrupt(run.job.id)
