"""The attempts that one remote server has now: begun, told of, stopped, and what becomes of those that fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from inglenook.client import ClientError
from inglenook.engine.events import AnyEvent, End, NodeRef
from inglenook.errors import InglenookError, MediaError
from inglenook.workers.own_tasks import OwnTasks
from inglenook.workers.remote.attempt import Attempt, Server
from inglenook.workers.remote.errors import JobRefused
from inglenook.workers.remote.refusal import refusal_text
from inglenook.workers.remote.stopping import Place, stop
from inglenook.workers.worker import Cause, Death, FarWorker, Request, Sent, WorkerListener

_SOON_S = 0.5


class Host(FarWorker, Protocol):
    """What attempts ask of the worker that has them."""

    is_up: bool
    logger: logging.Logger
    server: Server
    tasks: OwnTasks

    @property
    def listener(self) -> WorkerListener:
        """Who hears of attempts."""

    async def is_there(self) -> None:
        """Ask the server whether it is there. Raises ClientError, TimeoutError."""

    async def refresh_catalog(self) -> bool:
        """Whether the server has other classes or files than were known."""

    def give_up(self, sent: Sent) -> None:
        """Nobody waits for this attempt any more: stop it on the server."""

    def did_well(self) -> None:
        """An attempt came to its end."""

    def did_badly(self) -> None:
        """An attempt came to nothing, and the server may be to blame."""


class Attempts:
    """By job; only the current attempt at a job is heard."""

    def __init__(self, worker: Host) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        """Runs until their sockets are closed."""
        self._worker = worker
        self._attempts: dict[str, Attempt] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, list[asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def drop_all(self) -> None:
        """None of them counts any more."""
        for attempt in list(self._attempts.values()):
            self._drop(attempt)

    def lose_all(self, reason: str) -> None:
        """The server is gone, and all that it had of ours."""
        for attempt in list(self._attempts.values()):
            self._die(attempt, Death(Cause.LOST, f"{self._worker.name}: {reason}"))

    def let_go(self, job_id: str) -> bool:
        """Leave a job to the server; False when it could not be found there again."""
        attempt = self._attempts.get(job_id)
        if attempt is None or not attempt.is_submitted or attempt.is_cancelled or attempt.is_timed_out:
            return False
        self._drop(attempt, stops=False)
        return True

    def begin(self, request: Request, found: Sent | None = None) -> None:
        """Begin an attempt, or go on with one that was found on the server."""
        job_id = request.job_id
        attempt = Attempt(
            request,
            self._worker.server,
            lambda events: self._tell(attempt, events),
            lambda: self._limit_time(attempt),
            note=lambda sent: self._note(attempt, sent),
            found=found,
        )
        self._attempts[job_id] = attempt
        self._timers[job_id] = []
        self._runs[job_id] = task = self._worker.tasks.start(self._run(attempt))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _note(self, attempt: Attempt, sent: Sent) -> Awaitable[bool]:
        worker = self._worker
        return worker.listener.worker_sends(worker, attempt.request.job_id, attempt.request.attempt, sent)

    async def _run(self, attempt: Attempt) -> None:
        try:
            self._finish(attempt, await attempt.run())
            self._worker.did_well()
        except JobRefused as error:
            await self._refused(attempt, error)
        except MediaError as error:
            self._finish(attempt, attempt.failed(str(error), f"inglenook.errors.{type(error).__name__}"))
        except (InglenookError, TimeoutError, ValueError, OSError) as error:
            await self._attempt_lost(attempt, str(error) or type(error).__name__)
        except Exception as error:  # whatever a server made of our code, the job goes on elsewhere
            self._worker.logger.exception(
                "job %s could not be followed on %s", attempt.request.job_id, self._worker.name
            )
            await self._attempt_lost(attempt, repr(error))
        finally:
            await attempt.close()

    async def _attempt_lost(self, attempt: Attempt, reason: str) -> None:
        """The attempt came to nothing. A server that is gone is found so first, or it would get the job again."""
        worker = self._worker
        while self._is_current(attempt) and worker.is_up:
            try:
                await worker.is_there()
                break
            except (ClientError, TimeoutError):
                await asyncio.sleep(_SOON_S)  # whoever watches it decides
        if self._is_current(attempt):
            worker.did_badly()
            self._die(attempt, Death(Cause.LOST, f"{worker.name}: {reason}"))

    async def _refused(self, attempt: Attempt, error: JobRefused) -> None:
        """A server whose classes or files have changed is not the place for the job; else others are asked."""
        if await self._worker.refresh_catalog():
            self._die(attempt, Death(Cause.LOST, f"{self._worker.name} can no longer run it: {error}"))
            return
        node = next((NodeRef(str(one), str(one), None, str(one)) for one in error.node_errors), None)
        text = f"{self._worker.name} refuses the workflow: {refusal_text(error)}"
        self._die(attempt, Death(Cause.REFUSED, text, node))

    def _is_current(self, attempt: Attempt) -> bool:
        return self._attempts.get(attempt.request.job_id) is attempt

    def _tell(self, attempt: Attempt, events: list[AnyEvent]) -> None:
        if self._is_current(attempt):
            self._worker.listener.worker_events(self._worker, attempt.request.job_id, attempt.request.attempt, events)

    def _finish(self, attempt: Attempt, end: End) -> None:
        """The job has ended."""
        if not self._is_current(attempt):
            return
        self._drop(attempt)
        request = attempt.request
        self._worker.listener.worker_events(self._worker, request.job_id, request.attempt, [*attempt.beginning(), end])

    def _die(self, attempt: Attempt, death: Death) -> None:
        """The attempt is over, the job perhaps not."""
        if not self._is_current(attempt):
            return
        self._drop(attempt)
        worker, request = self._worker, attempt.request
        reason = worker.server.blackener.text(death.reason)
        told = Death(death.cause, reason, death.node or attempt.node)
        worker.listener.worker_died(worker, request.job_id, request.attempt, told)

    def _drop(self, attempt: Attempt, *, stops: bool = True) -> None:
        """The attempt no longer counts; what the server still has of it is to be stopped there."""
        job_id = attempt.request.job_id
        del self._attempts[job_id]
        for timer in self._timers.pop(job_id):
            timer.cancel()
        run = self._runs.pop(job_id)
        if run is not asyncio.current_task():
            run.cancel()
        if stops and attempt.is_submitted and not attempt.is_over_there:
            self._worker.give_up(attempt.sent)

    # -- stopping ----------------------------------------------------------------------------------------------------

    def interrupt(self, job_id: str) -> None:
        """Stop the job; asked a second time, wait for the server no longer."""
        attempt = self._attempts.get(job_id)
        if attempt is None:
            return
        if attempt.is_cancelled:
            self._die(attempt, Death(Cause.CANCEL, "it was stopped by force"))
            return
        attempt.is_cancelled = True
        self._stop(attempt, Cause.CANCEL)

    def _limit_time(self, attempt: Attempt) -> None:
        """The job runs: its time counts from now."""
        limit_s = attempt.request.timeout_s
        if limit_s is not None and self._is_current(attempt):
            self._later(attempt, limit_s, lambda: self._time_out(attempt))

    def _time_out(self, attempt: Attempt) -> None:
        attempt.is_timed_out = True
        self._stop(attempt, Cause.TIMEOUT)

    def _later(self, attempt: Attempt, delay_s: float, action: Callable[[], None]) -> None:
        timer = asyncio.get_running_loop().call_later(delay_s, action)
        self._timers[attempt.request.job_id].append(timer)

    def _stop(self, attempt: Attempt, cause: Cause) -> None:
        grace_s = self._worker.server.limits.interrupt_grace_s
        death = Death(cause, f"{self._worker.name} did not stop it within {grace_s:g} s")
        self._later(attempt, grace_s, lambda: self._die(attempt, death))
        self._worker.tasks.start(self._stop_there(attempt))

    async def _stop_there(self, attempt: Attempt) -> None:
        """Have the server stop the job; tell its end if the server will not."""
        while self._is_current(attempt):
            if not attempt.is_submitted:
                self._finish(attempt, attempt.stopped())
                return
            try:
                async with asyncio.timeout(self._worker.server.limits.request_s):
                    await self._ask_to_stop(attempt)
            except (ClientError, TimeoutError) as error:
                self._worker.logger.warning(
                    "job %s could not be stopped on %s: %s", attempt.request.job_id, self._worker.name, error
                )
            await asyncio.sleep(_SOON_S)

    async def _ask_to_stop(self, attempt: Attempt) -> None:
        client = self._worker.server.client
        place = await stop(client, attempt.prompt_id, interrupts=not attempt.was_interrupted)
        attempt.was_interrupted = attempt.was_interrupted or place is Place.RUNNING
        # Who fetches results of a job that is over there would hear of its end when all of them are here.
        if place is Place.GONE and (attempt.is_fetching or await client.history(attempt.prompt_id) is None):
            self._finish(attempt, attempt.stopped())
