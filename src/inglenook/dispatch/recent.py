"""Runs that a client may come late to: those that run, and those that ended within the last minute."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from inglenook.dispatch.run import Run

REPLAY_S = 60.0
"""How long after its end a run is kept for sockets that come late."""
_MOST_REPLAYED = 500


class RecentRuns:
    """Runs by client, and runs that have ended. All operations on the event loop."""

    def __init__(self) -> None:
        self._ended: dict[str, Run] = {}
        self._by_client: dict[str, dict[str, Run]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[Run]:
        """Those that have ended."""
        return iter(self._ended.values())

    def begin(self, run: Run) -> None:
        """A run has begun: its clients may hear of it."""
        for client_id in run.client_ids:
            self.tell(run, client_id)

    def tell(self, run: Run, client_id: str) -> None:
        """Let one more client hear of a run."""
        self._by_client.setdefault(client_id, {})[run.job.id] = run

    def end(self, run: Run) -> None:
        """A run has ended: it is kept for a minute."""
        self._ended[run.job.id] = run
        loop = asyncio.get_running_loop()
        run.left_at = loop.time()
        self._forget_old()
        if self._sweep is None:
            self._sweep = loop.call_later(REPLAY_S / 2, self._sweep_again)

    def get(self, job_id: str) -> Run | None:
        """A run that has ended."""
        return self._ended.get(job_id)

    def of_client(self, client_id: str) -> list[Run]:
        """Runs of a client, oldest first."""
        self._forget_old()
        return list(self._by_client.get(client_id, {}).values())

    def history_deleted(self, job_ids: Sequence[str] | None, user: str | None = None) -> None:
        """The history lost these jobs (all when None) of a user: they are no longer answered from memory."""
        for job_id in list(self._ended) if job_ids is None else job_ids:
            run = self._ended.get(job_id)
            if run is not None and (user is None or run.job.user == user):
                run.is_deleted = True

    def close(self) -> None:
        """Forget nothing more."""
        if self._sweep is not None:
            self._sweep.cancel()

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
