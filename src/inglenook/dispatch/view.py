"""What others see of the queue: which jobs come in, wait, run, and have just ended."""

from __future__ import annotations

from itertools import chain, islice

from inglenook.dispatch.recent import RecentRuns
from inglenook.dispatch.run import Run
from inglenook.dispatch.waiting import WaitingRuns


class QueueView:
    """Runs in memory. Only the dispatcher, which this is the readable side of, changes them."""

    def __init__(self) -> None:
        self._accepting: dict[str, Run] = {}
        """Runs that are being made durable."""
        self._waiting = WaitingRuns()
        self._running: dict[str, Run] = {}
        self._recent = RecentRuns()

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
            or self._recent.get(job_id)
        )
        return None if run is None or (user is not None and run.job.user != user) else run

    def recent(self, client_id: str) -> list[Run]:
        """Runs of a client that run or ended within the last minute, oldest first."""
        return self._recent.of_client(client_id)

    def runs_of(self, name: str) -> int:
        """How many jobs a worker has."""
        return sum(run.worker == name and run.end is None for run in self._running.values())
