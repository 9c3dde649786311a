"""A ComfyUI-compatible server as a worker: watched, given jobs, left when it is lost, taken up again when it is back.

Facts that shape this file: others may use the server, so that only what is ours is ever counted or stopped; a server
that is gone, frozen or restarted says nothing, so that silence has to be noticed; a job that is given up here may still
run there, where it takes one of our places until the server has let go of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from inglenook.client import AsyncClient, ClientError, Limits
from inglenook.client.blackening import Blackener
from inglenook.client.errors import Forbidden, Unauthorized
from inglenook.engine.events import AnyEvent, End, NodeRef
from inglenook.engine.replacement import NodeReplacement
from inglenook.errors import InglenookError, MediaError
from inglenook.media.folders import Folders
from inglenook.packs.report import PackReport
from inglenook.workers.messages import Device, ModelFolderAdded, Question
from inglenook.workers.own_tasks import OwnTasks
from inglenook.workers.remote.adoption import LOOK_AGAIN_S, find
from inglenook.workers.remote.attempt import Attempt, Server
from inglenook.workers.remote.catalog import RemoteCatalog, read_catalog
from inglenook.workers.remote.errors import JobRefused
from inglenook.workers.remote.extensions import read_extensions, read_file
from inglenook.workers.remote.inputs import InputFiles
from inglenook.workers.remote.journal import RemoteJournal
from inglenook.workers.remote.key_filter import WithoutKey
from inglenook.workers.remote.limits import RemoteLimits
from inglenook.workers.remote.model_lists import read_embeddings, read_model_lists
from inglenook.workers.remote.outputs import FetchedFiles
from inglenook.workers.remote.pace import CatalogPace
from inglenook.workers.remote.refusal import refusal_text
from inglenook.workers.remote.server_stats import read_devices, read_versions
from inglenook.workers.remote.sockets import Sockets
from inglenook.workers.remote.stopping import GivenUp, Place, stop, stop_all
from inglenook.workers.worker import Cause, Death, Request, Sent, WorkerListener, WorkerState

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.3, 5.0
_FIRST_REST_S, _LONGEST_REST_S = 1.0, 60.0
_SOON_S = 0.5
_CLOSE_S = 3.0
_EMBEDDINGS_S = 5.0
_NEVER_S = 1e9
"""How long a stream waits for a server that is away: the worker decides, not the stream."""


class RemoteWorker:
    """One server; runs up to `capacity` jobs of ours at a time, most of which wait in its queue."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        api_key: str | None = None,
        slots: int = 1,
        folders: Folders,
        journal: RemoteJournal | None = None,
        limits: RemoteLimits | None = None,
    ) -> None:
        """url: `host:port`, or with scheme and path. journal: notes what attempts wrote. Raises ValueError."""
        self.name = name
        self.has_queue = True
        """A job waits there until its `Started` is told."""
        self.capacity = max(1, slots)
        self.documents: Mapping[str, Any] | None = None
        self.model_files: Mapping[str, frozenset[str]] = {}
        self.model_lists: Mapping[str, tuple[str, ...]] = {}
        """What its `/models` list."""
        self.embeddings: frozenset[str] | None = None
        """What its `/embeddings` list; None where it does not say."""
        self.extensions: Mapping[str, Sequence[str]] = {}
        """Node pack -> paths of its scripts for the editor."""
        self.devices: Sequence[Device] = ()
        self.versions: Mapping[str, str] = {}
        self.packs: Sequence[PackReport] = ()
        self.replacements: Sequence[NodeReplacement] = ()
        self.model_folders: Sequence[ModelFolderAdded] = ()
        self.routes_at: str | None = None
        self.rewrites_prompts = False
        self.problem: str | None = "it has not been asked yet"
        """Why it cannot be used now, for people."""
        self._limits = limits or RemoteLimits()
        self._api_key = api_key
        self._blackener = Blackener(api_key)
        self._folders = folders
        self._journal = journal
        self._url = url
        self._asking = self._client(connect_attempts=1)
        self._client_of_jobs = self._client(connect_attempts=4)
        self.url = self._asking.url
        self._logger = logging.getLogger(f"inglenook.remote.{name}")
        self._without_key = WithoutKey(self._blackener)
        self._listener: WorkerListener | None = None
        self._catalog: RemoteCatalog | None = None
        self._etag: str | None = None
        self._body_hash: int | None = None
        self._server = self._make_server()
        self._is_up = False
        self._is_started = False
        self._is_closing = False
        self._heard_at = 0.0
        self._refused_since: float | None = None
        self._attempts: dict[str, Attempt] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, list[asyncio.TimerHandle]] = {}
        self._given_up: dict[str, GivenUp] = {}
        """Client id -> job that the server may still have although nobody waits for it."""
        self._expected: dict[str, Sent] = {}
        """Job id -> attempt of an earlier process that it may have."""
        self._pause_s = 0.0
        self._pause_end_s = 0.0
        """Until then, on the monotonic clock, it gets no job, having lost one: others go first."""
        self._tasks = OwnTasks(self._logger, f"remote worker {name}")
        self._may_free = True
        """As far as known: its key may be one that only runs jobs."""
        self._run_tasks: set[asyncio.Task[None]] = set()
        """Runs until their sockets are closed."""
        self._look_now = asyncio.Event()
        self._pace = CatalogPace(self._limits.catalog_interval_s)
        self._has_come_up = asyncio.Event()

    def _client(self, connect_attempts: int) -> AsyncClient:
        limits = self._limits
        return AsyncClient(
            self._url,
            api_key=self._api_key,
            timeout_s=limits.request_s,
            reconnect_s=_NEVER_S,
            limits=Limits(limits.answer_bytes, limits.message_bytes, limits.waiting_messages, connect_attempts),
        )

    def _make_server(self) -> Server:
        client, limits = self._client_of_jobs, self._limits
        return Server(
            client,
            Sockets(client),
            InputFiles(client, self._folders, limits),
            FetchedFiles(client, self._folders, limits, self._journal, self._blackener),
            limits,
            self._present_catalog,
            self._heard,
            self._blackener,
        )

    def _present_catalog(self) -> RemoteCatalog:
        assert self._catalog is not None
        return self._catalog

    # -- what others see ---------------------------------------------------------------------------------------------

    @property
    def running(self) -> int:
        """Jobs that it has been given and that have not ended."""
        return len(self._attempts)

    @property
    def state(self) -> WorkerState:
        """READY while there is room for another job of ours."""
        if not self._is_started or self._is_closing:
            return WorkerState.STOPPED
        if not self._is_up:
            return WorkerState.STARTING
        is_full = len(self._attempts) + len(self._given_up) >= self.capacity
        is_resting = time.monotonic() < self._pause_end_s  # asked from other threads, too
        return WorkerState.BUSY if is_full or is_resting else WorkerState.READY

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self, listener: WorkerListener) -> None:
        """Begin to watch the server; `listener.worker_ready` says when it can be used."""
        self._listener = listener
        if self._is_closing:  # it is started anew
            self._asking, self._client_of_jobs = self._client(1), self._client(4)
            self._server = self._make_server()
        self._is_started, self._is_closing = True, False
        self._logger.addFilter(self._without_key)
        self._tasks.start(self._watch())
        self._tasks.start(self._keep_catalog())

    async def close(self) -> None:
        """Leave the server, and stop there what is ours."""
        if not self._is_started or self._is_closing:
            return
        self._is_closing = True
        for attempt in list(self._attempts.values()):
            self._drop(attempt)
        left, self._given_up = self._given_up, {}
        self._tasks.cancel(but=self._run_tasks)
        await self._tasks.ended()
        if left and self._is_up:
            with contextlib.suppress(ClientError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await stop_all(self._asking, left)
        self._is_up = False
        await self._server.inputs.close()
        await self._server.sockets.close()
        await self._asking.close()
        await self._client_of_jobs.close()
        self._logger.removeFilter(self._without_key)

    # -- is it there? ------------------------------------------------------------------------------------------------

    def _heard(self) -> None:
        """The server gave a sign of life."""
        self._heard_at = asyncio.get_running_loop().time()
        self._refused_since = None

    async def _watch(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            if self._is_up:
                pause_s = _FIRST_PAUSE_S
                await self._look_after()
                continue
            try:
                await self._come_up()
            except (InglenookError, TimeoutError, ValueError) as error:
                self._note_problem(str(error) or f"no answer within {self._limits.catalog_s:g} s")
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _note_problem(self, problem: str) -> None:
        problem = self._blackener.text(problem)
        if problem != self.problem:
            self.problem = problem
            self._logger.warning("remote worker %s cannot be used: %s", self.name, problem)

    async def _come_up(self) -> None:
        await self._load_catalog()
        with contextlib.suppress(ClientError, TimeoutError):
            async with asyncio.timeout(min(_EMBEDDINGS_S, self._limits.request_s)):
                self.embeddings = await read_embeddings(self._asking)
        if self._given_up:
            async with asyncio.timeout(self._limits.request_s):
                self._given_up = await stop_all(self._asking, self._given_up)
        found: Mapping[str, Sent] = {}
        if self._expected:
            async with asyncio.timeout(self._limits.catalog_s + LOOK_AGAIN_S):
                found = await find(self._asking, dict(self._expected))
        self._heard()
        self._is_up = self._may_free = True
        self._pace.happened(asyncio.get_running_loop().time())
        self._has_come_up.set()
        self._server.sockets.prepare()
        self._tasks.start(self._refresh_lists())
        self.problem = None
        self._logger.info("remote worker %s is ready: %d node classes", self.name, len(self.documents or ()))
        self._tell_found(found)
        self._tell_ready()

    def _tell_found(self, found: Mapping[str, Sent]) -> None:
        """Say what became of attempts of an earlier process, first those that go on: they have their places."""
        for job_id in sorted(self._expected, key=lambda job_id: job_id not in found):
            if self._listener is not None:
                self._listener.worker_found(self, job_id, found.get(job_id))
            if job_id not in found:
                self._expected.pop(job_id, None)

    def _tell_ready(self) -> None:
        if self._listener is not None and self._is_up and not self._is_closing:
            self._listener.worker_ready(self)

    async def _look_after(self) -> None:
        """Wait for the next look at the server, and look."""
        limits, loop = self._limits, asyncio.get_running_loop()
        is_silent = loop.time() - self._heard_at > limits.check_interval_s + _SOON_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SOON_S if is_silent or self._given_up else limits.check_interval_s):
                await self._look_now.wait()
        self._look_now.clear()
        try:
            async with asyncio.timeout(limits.lost_after_s / 3):
                await self._asking.queue_length()
                self._heard()
                await self._clear_given_up()
        except (ClientError, TimeoutError) as error:
            self._missed(error)

    async def _clear_given_up(self) -> None:
        if self._given_up:
            asked = dict(self._given_up)
            left = await stop_all(self._asking, asked)
            self._given_up = {
                key: job for key, job in (self._given_up | left).items() if key in left or key not in asked
            }
            if len(left) < len(asked):
                self._tell_ready()

    def _missed(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        if isinstance(error.__cause__, httpx.ConnectError):
            self._refused_since = self._refused_since or now
        silent_s = now - self._heard_at
        is_refused = self._refused_since is not None and now - self._refused_since >= self._limits.refused_after_s
        if is_refused or silent_s >= self._limits.lost_after_s:
            self._lose(f"no answer for {silent_s:.0f} s" + (f" ({error})" if str(error) else ""))

    def _lose(self, reason: str) -> None:
        """Give the server up until it answers again; its jobs go elsewhere."""
        self._is_up = False
        self._refused_since = None
        self._note_problem(reason)
        for attempt in list(self._attempts.values()):
            self._die(attempt, Death(Cause.LOST, f"{self.name}: {reason}"))

    # -- what it can do ----------------------------------------------------------------------------------------------

    async def _keep_catalog(self) -> None:
        loop, pace = asyncio.get_running_loop(), self._pace
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pace.pause_s(loop.time(), is_cheap=self._etag is not None)):
                    await self._has_come_up.wait()
                    self._has_come_up.clear()
                    continue
            if not self._is_up:
                continue
            if pace.asks_for_lists(loop.time()):
                await self._refresh_lists()
            if await self._refresh_catalog() or (pace.is_quick(loop.time()) and await self._is_starting()):
                pace.happened(loop.time())

    async def _is_starting(self) -> bool:
        """Whether the server says that it is not complete yet: an inglenook that imports node packs."""
        try:
            async with asyncio.timeout(self._limits.request_s):
                health = await self._asking.get("/api/health")
        except (ClientError, TimeoutError):
            return False
        return isinstance(health, dict) and health.get("status") == "starting"

    async def _refresh_catalog(self) -> bool:
        """Whether the server has other classes or files than were known."""
        try:
            changed = await self._load_catalog()
        except (ClientError, TimeoutError, ValueError) as error:
            self._logger.warning("the catalog of remote worker %s cannot be read: %s", self.name, error)
            return False
        if changed:
            self._tasks.start(self._refresh_lists())
            self._tell_ready()
        return changed

    async def _refresh_lists(self) -> None:
        """Read which model files and scripts the server has; where it does not answer, what was known stays."""
        with contextlib.suppress(ClientError, TimeoutError):
            async with asyncio.timeout(self._limits.request_s):
                self.embeddings = await read_embeddings(self._asking)
                self.model_lists = await read_model_lists(self._asking)
                self.extensions = await read_extensions(self._asking)

    async def extension_file(self, pack: str, path: str) -> bytes | None:
        """A file of the web folder of a pack there; None where there is none. Raises ClientError."""
        return await read_file(self._asking, pack, path)

    async def _load_catalog(self) -> bool:
        """Read the server's catalog and devices, if they are not known; whether the catalog is another one.

        Raises ClientError, TimeoutError, ValueError.
        """
        async with asyncio.timeout(self._limits.catalog_s):
            stats = self._blackener.value(await self._asking.system_stats())
            answer = await self._asking.catalog(self._etag if self._catalog is not None else None)
        self._heard()
        self.devices, self.versions = read_devices(stats), read_versions(stats)
        if answer is None:
            return False
        body_hash = hash(answer.body)
        is_new = self._catalog is None or body_hash != self._body_hash
        if is_new:
            catalog = await asyncio.to_thread(read_catalog, answer.body, self._blackener)
            self._catalog, self.documents, self.model_files = catalog, catalog.documents, catalog.model_files
        self._etag, self._body_hash = answer.etag, body_hash
        return is_new

    # -- the dispatcher asks -----------------------------------------------------------------------------------------

    def execute(self, request: Request) -> None:
        """Begin a job; only when READY."""
        assert self.state is WorkerState.READY
        self._begin(request)

    def _begin(self, request: Request, found: Sent | None = None) -> None:
        job_id = request.job_id
        attempt = Attempt(
            request,
            self._server,
            lambda events: self._tell(attempt, events),
            lambda: self._limit_time(attempt),
            note=lambda sent: self._note(attempt, sent),
            found=found,
        )
        self._attempts[job_id] = attempt
        self._timers[job_id] = []
        self._runs[job_id] = task = self._tasks.start(self._run(attempt))
        self._run_tasks.add(task)
        task.add_done_callback(self._run_tasks.discard)

    def _note(self, attempt: Attempt, sent: Sent) -> Awaitable[bool]:
        assert self._listener is not None
        return self._listener.worker_sends(self, attempt.request.job_id, attempt.request.attempt, sent)

    async def _run(self, attempt: Attempt) -> None:
        try:
            self._finish(attempt, await attempt.run())
            self._pause_s = 0.0
        except JobRefused as error:
            await self._refused(attempt, error)
        except MediaError as error:
            self._finish(attempt, attempt.failed(str(error), f"inglenook.errors.{type(error).__name__}"))
        except (InglenookError, TimeoutError, ValueError, OSError) as error:
            await self._attempt_lost(attempt, str(error) or type(error).__name__)
        except Exception as error:  # whatever a server made of our code, the job goes on elsewhere
            self._logger.exception("job %s could not be followed on %s", attempt.request.job_id, self.name)
            await self._attempt_lost(attempt, repr(error))
        finally:
            await attempt.close()

    async def _attempt_lost(self, attempt: Attempt, reason: str) -> None:
        """The attempt came to nothing. A server that is gone is found so first, or it would get the job again."""
        while self._is_current(attempt) and self._is_up:
            try:
                async with asyncio.timeout(self._limits.lost_after_s / 3):
                    await self._asking.queue_length()
                    self._heard()
                    break
            except (ClientError, TimeoutError):
                await asyncio.sleep(_SOON_S)  # whoever watches it decides
        if self._is_current(attempt):
            self._rest()
            self._tasks.start(self._refresh_catalog())
            self._die(attempt, Death(Cause.LOST, f"{self.name}: {reason}"))

    def _rest(self) -> None:
        """Take no job for a while, longer each time in a row."""
        self._pause_s = min(max(self._pause_s * 2, _FIRST_REST_S), _LONGEST_REST_S)
        self._pause_end_s = time.monotonic() + self._pause_s
        asyncio.get_running_loop().call_later(self._pause_s + 0.01, self._tell_ready)

    async def _refused(self, attempt: Attempt, error: JobRefused) -> None:
        """A server whose classes or files have changed is not the place for the job; else others are asked."""
        if await self._refresh_catalog():
            self._die(attempt, Death(Cause.LOST, f"{self.name} can no longer run it: {error}"))
            return
        node = next((NodeRef(str(one), str(one), None, str(one)) for one in error.node_errors), None)
        text = f"{self.name} refuses the workflow: {refusal_text(error)}"
        self._die(attempt, Death(Cause.REFUSED, text, node))

    def _is_current(self, attempt: Attempt) -> bool:
        return self._attempts.get(attempt.request.job_id) is attempt

    def _tell(self, attempt: Attempt, events: list[AnyEvent]) -> None:
        if self._is_current(attempt) and self._listener is not None:
            self._listener.worker_events(self, attempt.request.job_id, attempt.request.attempt, events)

    def _finish(self, attempt: Attempt, end: End) -> None:
        """The job has ended."""
        if not self._is_current(attempt):
            return
        self._drop(attempt)
        assert self._listener is not None
        request = attempt.request
        self._listener.worker_events(self, request.job_id, request.attempt, [*attempt.beginning(), end])

    def _die(self, attempt: Attempt, death: Death) -> None:
        """The attempt is over, the job perhaps not."""
        if not self._is_current(attempt):
            return
        self._drop(attempt)
        assert self._listener is not None
        node = death.node or attempt.node
        request = attempt.request
        reason = self._blackener.text(death.reason)
        self._listener.worker_died(self, request.job_id, request.attempt, Death(death.cause, reason, node))

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
            self._give_up(attempt.sent)

    def _give_up(self, sent: Sent) -> None:
        self._given_up[sent.client_id] = GivenUp(sent)
        self._look_now.set()

    # -- attempts that outlive a process -----------------------------------------------------------------------------

    def expect(self, attempts: Mapping[str, Sent]) -> None:
        """Look for attempts at these jobs as soon as the server answers: `worker_found` is told of each."""
        self._expected.update(attempts)

    def adopt(self, request: Request, sent: Sent) -> None:
        """Go on with an attempt that was found."""
        self._expected.pop(request.job_id, None)
        self._logger.info("job %s goes on on %s", request.job_id, self.name)
        self._begin(request, sent)

    def forget(self, job_id: str, sent: Sent) -> None:
        """An expected attempt is not wanted any more: stop it there, also when the server is back much later."""
        if self._expected.pop(job_id, None) is not None:
            self._give_up(sent)

    def let_go(self, job_id: str) -> bool:
        """Leave a job to the server, for the next process to find; False when that would not find it."""
        attempt = self._attempts.get(job_id)
        if attempt is None or not attempt.is_submitted or attempt.is_cancelled or attempt.is_timed_out:
            return False
        self._drop(attempt, stops=False)
        return True

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
        grace_s = self._limits.interrupt_grace_s
        death = Death(cause, f"{self.name} did not stop it within {grace_s:g} s")
        self._later(attempt, grace_s, lambda: self._die(attempt, death))
        self._tasks.start(self._stop_there(attempt))

    async def _stop_there(self, attempt: Attempt) -> None:
        """Have the server stop the job; tell its end if the server will not."""
        while self._is_current(attempt):
            if not attempt.is_submitted:
                self._finish(attempt, attempt.stopped())
                return
            try:
                async with asyncio.timeout(self._limits.request_s):
                    await self._ask_to_stop(attempt)
            except (ClientError, TimeoutError) as error:
                self._logger.warning("job %s could not be stopped on %s: %s", attempt.request.job_id, self.name, error)
            await asyncio.sleep(_SOON_S)

    async def _ask_to_stop(self, attempt: Attempt) -> None:
        client = self._client_of_jobs
        place = await stop(client, attempt.prompt_id, interrupts=not attempt.was_interrupted)
        attempt.was_interrupted = attempt.was_interrupted or place is Place.RUNNING
        # Who fetches results of a job that is over there would hear of its end when all of them are here.
        if place is Place.GONE and (attempt.is_fetching or await client.history(attempt.prompt_id) is None):
            self._finish(attempt, attempt.stopped())

    # -- what a device process would do ------------------------------------------------------------------------------

    async def ask(
        self, question: Question, timeout_s: float, *, late: Callable[[bytes], None] | None = None
    ) -> bytes | None:
        """A server answers no questions about the code of its packs: it asks them itself when it gets the job."""
        return None

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        if self._is_up and self._may_free:
            self._tasks.start(self._free(unload_models, free_memory))

    async def _free(self, unload_models: bool, free_memory: bool) -> None:
        try:
            async with asyncio.timeout(self._limits.request_s):
                await self._asking.free(unload_models=unload_models, free_memory=free_memory)
        except (Unauthorized, Forbidden) as error:
            if self._may_free:
                self._logger.warning("remote worker %s is not asked to free memory any more: %s", self.name, error)
            self._may_free = False
        except (ClientError, TimeoutError) as error:
            self._logger.warning("remote worker %s could not be asked to free memory: %s", self.name, error)
