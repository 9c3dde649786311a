"""A ComfyUI-compatible server as a worker: watched, given jobs, left when it is lost, taken up again when it is back.

Facts that shape this file: others may use the server, so that only what is ours is ever counted or stopped; a server
that is gone, frozen or restarted says nothing, so that silence has to be noticed; a job that is given up here may still
run there, where it takes one of our places until the server has let go of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inglenook.client import ClientError
from inglenook.client.blackening import Blackener
from inglenook.client.errors import Forbidden, Unauthorized
from inglenook.engine.replacement import NodeReplacement
from inglenook.errors import InglenookError
from inglenook.media.folders import Folders
from inglenook.packs.report import PackReport
from inglenook.workers.messages import Device, ModelFolderAdded, Question
from inglenook.workers.own_tasks import OwnTasks
from inglenook.workers.remote.attempts import Attempts
from inglenook.workers.remote.catalog_reader import CatalogReader
from inglenook.workers.remote.connector import Connector, close_server
from inglenook.workers.remote.extensions import read_file
from inglenook.workers.remote.journal import RemoteJournal
from inglenook.workers.remote.key_filter import WithoutKey
from inglenook.workers.remote.leftovers import Leftovers
from inglenook.workers.remote.limits import RemoteLimits
from inglenook.workers.remote.pace import CatalogPace
from inglenook.workers.remote.presence import Presence
from inglenook.workers.remote.rest import Rest
from inglenook.workers.remote.stopping import stop_all
from inglenook.workers.worker import Request, Sent, WorkerListener, WorkerState

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.3, 5.0
_SOON_S = 0.5
_CLOSE_S = 3.0


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
        self.capacity = max(1, slots)
        self.packs: Sequence[PackReport] = ()
        self.replacements: Sequence[NodeReplacement] = ()
        self.model_folders: Sequence[ModelFolderAdded] = ()
        self.routes_at: str | None = None
        self.rewrites_prompts = False
        self.problem: str | None = "it has not been asked yet"
        """Why it cannot be used now, for people."""
        self.logger = logging.getLogger(f"inglenook.remote.{name}")
        self.is_up = False
        self._limits = limits or RemoteLimits()
        self._blackener = Blackener(api_key)
        self._connector = Connector(url, api_key, folders, journal, self._limits, self._blackener)
        self._asking = self._connector.client()
        self.url = self._asking.url
        self._without_key = WithoutKey(self._blackener)
        self._listener: WorkerListener | None = None
        self._is_started = False
        self._is_closing = False
        self._presence = Presence(self._limits)
        self._catalog = CatalogReader(self._limits, self._blackener, self._presence.heard)
        self._pace = CatalogPace(self._limits.catalog_interval_s)
        self._rest = Rest()
        self._leftovers = Leftovers()
        self._look_now = asyncio.Event()
        self._has_come_up = asyncio.Event()
        self._may_free = True
        """As far as known: its key may be one that only runs jobs."""
        self.tasks = OwnTasks(self.logger, f"remote worker {name}")
        self.server = self._connector.server(self._catalog.catalog, self._presence.heard)
        self._attempts = Attempts(self)

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
        if not self.is_up:
            return WorkerState.STARTING
        is_full = len(self._attempts) + self._leftovers.given_up >= self.capacity
        return WorkerState.BUSY if is_full or self._rest.is_on else WorkerState.READY

    @property
    def documents(self) -> Mapping[str, Any] | None:
        """Interface documents of its node classes, once it has told them."""
        return self._catalog.documents

    @property
    def model_files(self) -> Mapping[str, frozenset[str]]:
        """Model folder -> names of its files."""
        return self._catalog.model_files

    @property
    def model_lists(self) -> Mapping[str, tuple[str, ...]]:
        """What its `/models` list."""
        return self._catalog.model_lists

    @property
    def embeddings(self) -> frozenset[str] | None:
        """What its `/embeddings` list; None where it does not say."""
        return self._catalog.embeddings

    @property
    def extensions(self) -> Mapping[str, Sequence[str]]:
        """Node pack -> paths of its scripts for the editor."""
        return self._catalog.extensions

    @property
    def devices(self) -> Sequence[Device]:
        return self._catalog.devices

    @property
    def versions(self) -> Mapping[str, str]:
        """What it says of its own version and its libraries'."""
        return self._catalog.versions

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self, listener: WorkerListener) -> None:
        """Begin to watch the server; `listener.worker_ready` says when it can be used."""
        self._listener = listener
        if self._is_closing:  # it is started anew
            self._asking = self._connector.client()
            self.server = self._connector.server(self._catalog.catalog, self._presence.heard)
        self._is_started, self._is_closing = True, False
        self.logger.addFilter(self._without_key)
        self.tasks.start(self._watch())
        self.tasks.start(self._keep_catalog())

    async def close(self) -> None:
        """Leave the server, and stop there what is ours."""
        if not self._is_started or self._is_closing:
            return
        self._is_closing = True
        self._attempts.drop_all()
        left = self._leftovers.take_given_up()
        self.tasks.cancel(but=self._attempts.tasks)
        await self.tasks.ended()
        if left and self.is_up:
            with contextlib.suppress(ClientError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await stop_all(self._asking, left)
        self.is_up = False
        await close_server(self.server)
        await self._asking.close()
        self.logger.removeFilter(self._without_key)

    # -- is it there? ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            if self.is_up:
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
            self.logger.warning("remote worker %s cannot be used: %s", self.name, problem)

    async def _come_up(self) -> None:
        await self._catalog.load(self._asking)
        await self._catalog.load_embeddings(self._asking)
        async with asyncio.timeout(self._limits.request_s):
            await self._leftovers.clear(self._asking)
        found = await self._leftovers.find_expected(self._asking, self._limits.catalog_s)
        self._presence.heard()
        self.is_up = self._may_free = True
        self._pace.happened(asyncio.get_running_loop().time())
        self._has_come_up.set()
        self.server.sockets.prepare()
        self.tasks.start(self._catalog.load_lists(self._asking))
        self.problem = None
        self.logger.info("remote worker %s is ready: %d node classes", self.name, len(self.documents or ()))
        self._tell_found(found)
        self._tell_ready()

    def _tell_found(self, found: Mapping[str, Sent]) -> None:
        """Say what became of attempts of an earlier process, first those that go on: they have their places."""
        expected = self._leftovers.expected
        for job_id in sorted(expected, key=lambda job_id: job_id not in found):
            if self._listener is not None:
                self._listener.worker_found(self, job_id, found.get(job_id))
            if job_id not in found:
                expected.pop(job_id, None)

    def _tell_ready(self) -> None:
        if self._listener is not None and self.is_up and not self._is_closing:
            self._listener.worker_ready(self)

    async def _look_after(self) -> None:
        """Wait for the next look at the server, and look."""
        interval_s = self._limits.check_interval_s
        is_silent = self._presence.silent_s > interval_s + _SOON_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SOON_S if is_silent or self._leftovers.given_up else interval_s):
                await self._look_now.wait()
        self._look_now.clear()
        try:
            async with asyncio.timeout(self._limits.lost_after_s / 3):
                await self._asking.queue_length()
                self._presence.heard()
                if await self._leftovers.clear(self._asking):
                    self._tell_ready()
        except (ClientError, TimeoutError) as error:
            reason = self._presence.missed(error)
            if reason is not None:
                self._lose(reason)

    def _lose(self, reason: str) -> None:
        """Give the server up until it answers again; its jobs go elsewhere."""
        self.is_up = False
        self._note_problem(reason)
        self._attempts.lose_all(reason)

    # -- what it can do ----------------------------------------------------------------------------------------------

    async def _keep_catalog(self) -> None:
        loop, pace = asyncio.get_running_loop(), self._pace
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pace.pause_s(loop.time(), is_cheap=self._catalog.is_cheap)):
                    await self._has_come_up.wait()
                    self._has_come_up.clear()
                    continue
            if not self.is_up:
                continue
            if pace.asks_for_lists(loop.time()):
                await self._catalog.load_lists(self._asking)
            if await self.refresh_catalog() or (
                pace.is_quick(loop.time()) and await self._catalog.is_starting(self._asking)
            ):
                pace.happened(loop.time())

    async def refresh_catalog(self) -> bool:
        """Whether the server has other classes or files than were known."""
        try:
            changed = await self._catalog.load(self._asking)
        except (ClientError, TimeoutError, ValueError) as error:
            self.logger.warning("the catalog of remote worker %s cannot be read: %s", self.name, error)
            return False
        if changed:
            self.tasks.start(self._catalog.load_lists(self._asking))
            self._tell_ready()
        return changed

    async def extension_file(self, pack: str, path: str) -> bytes | None:
        """A file of the web folder of a pack there; None where there is none. Raises ClientError."""
        return await read_file(self._asking, pack, path)

    # -- the dispatcher asks -----------------------------------------------------------------------------------------

    def execute(self, request: Request) -> None:
        """Begin a job; only when READY."""
        assert self.state is WorkerState.READY
        self._attempts.begin(request)

    def interrupt(self, job_id: str) -> None:
        """Stop the job; asked a second time, wait for the server no longer."""
        self._attempts.interrupt(job_id)

    # -- attempts that outlive a process -----------------------------------------------------------------------------

    def expect(self, attempts: Mapping[str, Sent]) -> None:
        """Look for attempts at these jobs as soon as the server answers: `worker_found` is told of each."""
        self._leftovers.expected.update(attempts)

    def adopt(self, request: Request, sent: Sent) -> None:
        """Go on with an attempt that was found."""
        self._leftovers.expected.pop(request.job_id, None)
        self.logger.info("job %s goes on on %s", request.job_id, self.name)
        self._attempts.begin(request, sent)

    def forget(self, job_id: str, sent: Sent) -> None:
        """An expected attempt is not wanted any more: stop it there, also when the server is back much later."""
        if self._leftovers.expected.pop(job_id, None) is not None:
            self.give_up(sent)

    def let_go(self, job_id: str) -> bool:
        """Leave a job to the server, for the next process to find; False when that would not find it."""
        return self._attempts.let_go(job_id)

    # -- what attempts ask -------------------------------------------------------------------------------------------

    @property
    def listener(self) -> WorkerListener:
        """Who hears of attempts; only once there is somebody."""
        assert self._listener is not None
        return self._listener

    def give_up(self, sent: Sent) -> None:
        """Nobody waits for this attempt any more: stop it on the server."""
        self._leftovers.give_up(sent)
        self._look_now.set()

    async def is_there(self) -> None:
        """Ask the server whether it is there. Raises ClientError, TimeoutError."""
        async with asyncio.timeout(self._limits.lost_after_s / 3):
            await self._asking.queue_length()
            self._presence.heard()

    def did_well(self) -> None:
        """An attempt came to its end."""
        self._rest.make_short()

    def did_badly(self) -> None:
        """An attempt came to nothing: take no job for a while, and see what has changed."""
        asyncio.get_running_loop().call_later(self._rest.begin() + 0.01, self._tell_ready)
        self.tasks.start(self.refresh_catalog())

    # -- what a device process would do ------------------------------------------------------------------------------

    async def ask(
        self, question: Question, timeout_s: float, *, late: Callable[[bytes], None] | None = None
    ) -> bytes | None:
        """A server answers no questions about the code of its packs: it asks them itself when it gets the job."""
        return None

    def free(self, *, unload_models: bool, free_memory: bool) -> None:
        if self.is_up and self._may_free:
            self.tasks.start(self._free(unload_models, free_memory))

    async def _free(self, unload_models: bool, free_memory: bool) -> None:
        try:
            async with asyncio.timeout(self._limits.request_s):
                await self._asking.free(unload_models=unload_models, free_memory=free_memory)
        except (Unauthorized, Forbidden) as error:
            if self._may_free:
                self.logger.warning("remote worker %s is not asked to free memory any more: %s", self.name, error)
            self._may_free = False
        except (ClientError, TimeoutError) as error:
            self.logger.warning("remote worker %s could not be asked to free memory: %s", self.name, error)
