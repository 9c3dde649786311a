"""Attempts on other servers that outlive this process: noted before they are sent, found again after the next start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

from inglenook.dispatch.pool import Members
from inglenook.dispatch.recording import Recorder
from inglenook.dispatch.run import Run
from inglenook.jobs import Errand, JobStore, JobStoreError
from inglenook.workers.worker import FarWorker, Sent, Worker

logger = logging.getLogger(__name__)


class Errands:
    """Waiting jobs that another server may have (see `Run.errand`); until it has answered they are held for it."""

    def __init__(self, store: JobStore, recorder: Recorder, members: Members) -> None:
        self._store = store
        self._recorder = recorder
        self._members = members
        self._expected: dict[str, Run] = {}
        self._hold_end: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._expected)

    def __iter__(self) -> Iterator[Run]:
        return iter(list(self._expected.values()))

    def hold(self, run: Run) -> None:
        """A job comes back from an earlier process, perhaps with an errand."""
        if run.errand is not None:
            run.is_held = True
            self._expected[run.job.id] = run

    def release_after(self, hold_s: float, then: Callable[[], None]) -> None:
        """Hold jobs for so long, and call `then`."""
        self._hold_end = asyncio.get_running_loop().call_later(hold_s, self._release_held, then)

    def close(self) -> None:
        if self._hold_end is not None:
            self._hold_end.cancel()

    # -- before an attempt is sent -------------------------------------------------------------------------------------

    async def note(self, run: Run, worker_name: str, sent: Sent) -> bool:
        """Write down where an attempt is about to be, together with the claim where that has not been written yet."""
        job = run.job
        errand = run.errand = Errand(worker_name, sent.prompt_id, sent.client_id)
        try:
            if run.claim_timer is not None:
                return await self._recorder.claim_now(run)
            if await self._store.note(job.id, job.attempt, errand):
                return True
        except JobStoreError:
            pass  # told where it is tried again
        return await self._recorder.write(run, lambda: self._store.note(job.id, job.attempt, errand))

    # -- after a start -------------------------------------------------------------------------------------------------

    def ask(self, worker: Worker) -> None:
        """Have a worker that is about to be started look for what it may have."""
        mine = {run.job.id: run.errand for run in self._of(worker.name) if run.errand is not None}
        if mine and isinstance(worker, FarWorker):
            worker.expect({str(key): Sent(errand.prompt_id, errand.client_id) for key, errand in mine.items()})

    def _of(self, worker_name: str) -> list[Run]:
        return [run for run in self if run.errand is not None and run.errand.worker == worker_name]

    def found(self, run: Run, worker_name: str, sent: Sent | None) -> Errand | None:
        """A server has answered for a waiting job; where its attempt goes on, None where it does not."""
        if run.errand is None or run.errand.worker != worker_name:
            return None
        if sent is None:
            logger.warning("job %s is no longer on %s: it is done again", run.job.id, worker_name)
            self.release(run)
            return None
        errand = replace(run.errand, prompt_id=sent.prompt_id)
        self.release(run)
        return errand

    def release(self, run: Run) -> None:
        """A job is on no other server, as far as can be known."""
        run.errand, run.is_held = None, False
        self._expected.pop(run.job.id, None)

    def _release_held(self, then: Callable[[], None]) -> None:
        """Let any server do the jobs of those that have not answered; one that answers first still goes on."""
        for run in self:
            assert run.errand is not None
            run.is_held = False
            logger.warning("job %s is not waited for any more: %s has not answered", run.job.id, run.errand.worker)
        then()

    def release_unknown(self) -> None:
        """Release the jobs of servers that are not in the pool."""
        for run in self:
            if run.errand is not None and self._members.get(run.errand.worker) is None:
                self.release(run)

    def abandon(self, run: Run) -> None:
        """A waiting job is not to go on where an earlier process sent it."""
        errand = run.errand
        if errand is None:
            return
        self.release(run)
        member = self._members.get(errand.worker)
        if member is not None and isinstance(member.worker, FarWorker):
            member.worker.forget(run.job.id, Sent(errand.prompt_id, errand.client_id))

    # -- before this process ends --------------------------------------------------------------------------------------

    def let_go(self, run: Run) -> bool:
        """Leave a running job to its server, for the next process to find; False where it would not be found."""
        member = self._members.get(run.worker or "")
        if run.errand is None or run.is_cancelled or member is None or not isinstance(member.worker, FarWorker):
            return False
        return member.worker.let_go(run.job.id)
