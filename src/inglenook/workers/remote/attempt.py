"""One attempt at a job on a remote server: sent, or found there, followed to its end, its files fetched."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from inglenook.client import AsyncClient, PromptRejected
from inglenook.client._async.job_stream import AsyncJobStream
from inglenook.client.blackening import Blackener, with_texts
from inglenook.client.errors import ConnectionFailed, TooManyRequests
from inglenook.client.events import Event, JobEnd, JobFailure, JobInterruption, NodeOutput, NodeText, QueueStatus
from inglenook.engine.events import AnyEvent, Cached, End, NodeDone, NodeRef
from inglenook.workers.remote.catalog import RemoteCatalog
from inglenook.workers.remote.errors import AttemptLost, JobRefused
from inglenook.workers.remote.inputs import InputFiles, SentGraph
from inglenook.workers.remote.limits import RemoteLimits
from inglenook.workers.remote.outputs import FetchedFiles, Outputs
from inglenook.workers.remote.sockets import Sockets
from inglenook.workers.remote.translation import Translator
from inglenook.workers.worker import Request, Sent

TIME_LIMIT = "inglenook.TimeLimitExceeded"
_OWN_KEYS = frozenset({"client_id"})
"""Extra data that is between this server and its clients."""
_PICTURE_WAITS_S = 0.02
_TRIES = 20
_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


async def _note_nothing(sent: Sent) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Server:
    """What an attempt needs of the server."""

    client: AsyncClient
    sockets: Sockets
    inputs: InputFiles
    files: FetchedFiles
    limits: RemoteLimits
    catalog: Callable[[], RemoteCatalog]
    heard: Callable[[], None]
    """To be called when the server gives a sign of life."""
    blackener: Blackener
    """Takes the server's key out of what it says."""


class Attempt:
    """Runs once; `tell` hears its events but for the end, which `run` returns."""

    def __init__(
        self,
        request: Request,
        server: Server,
        tell: Callable[[list[AnyEvent]], None],
        on_started: Callable[[], None] = lambda: None,
        *,
        note: Callable[[Sent], Awaitable[bool]] = _note_nothing,
        found: Sent | None = None,
    ) -> None:
        """note: writes down where the attempt is, before it is there; False when it is not wanted any more.

        found: where an earlier process sent it, to go on with it there.
        """
        self.request = request
        self.prompt_id = str(uuid.uuid4()) if found is None else found.prompt_id
        """A new one each time: no server mixes two attempts up."""
        self.is_submitted = found is not None
        """The server may have the job."""
        self.is_over_there = False
        """It has let go of it."""
        self.was_interrupted = False
        """The server has been told to interrupt it."""
        self.is_fetching = False
        """Results are on their way here."""
        self.is_cancelled = False
        self.is_timed_out = False
        self._client_id = "" if found is None else found.client_id
        self._is_found = found is not None
        self._note = note
        self._graph: Mapping[str, Any] = orjson.loads(request.graph)
        self._server = server
        self._tell = tell
        self._on_started = on_started
        self._translator = Translator(self._graph)
        self._outputs = Outputs(request.job_id, server.files, server.limits, server.blackener)
        self._stream: AsyncJobStream | None = None
        self._shown: dict[str, Any] = {}
        self._has_started = False
        self._cached: set[str] = set()

    @property
    def sent(self) -> Sent:
        """Under which names the server has it."""
        return Sent(self.prompt_id, self._client_id)

    @property
    def node(self) -> NodeRef | None:
        """The node that runs."""
        return self._translator.current

    async def run(self) -> End:
        """The end of the job. Raises AttemptLost, JobRefused, ClientError, MediaError."""
        return self._end(await self._follow(await (self._take_up() if self._is_found else self._send())))

    async def _send(self) -> AsyncJobStream:
        # The socket is there before the job, so that not even a job of a millisecond ends unheard.
        socket = await self._server.sockets.take()
        self._client_id, self._stream = socket.client_id, socket.stream
        noted = asyncio.ensure_future(self._note(self.sent))
        try:
            inputs = await self._send_inputs()
            is_wanted = await noted
        finally:
            noted.cancel()
        if not is_wanted:
            raise AttemptLost("the attempt is not wanted any more")
        asked_for = self.prompt_id
        await self._submit(inputs)
        if self.prompt_id != asked_for:  # an old server, which chooses ids itself
            await self._note(self.sent)
        return socket.stream

    async def _take_up(self) -> AsyncJobStream:
        """Listen to an attempt that is there already."""
        self._stream = stream = self._server.client.stream(self._client_id)
        with contextlib.suppress(ConnectionFailed):  # the stream goes on trying
            await stream.open()
        await self._send_inputs()  # they are there, under names that are known then
        return stream

    async def close(self) -> None:
        """Close the socket: after the end is told, since it takes a moment."""
        if self._stream is not None:
            await self._stream.close()
            self._server.sockets.prepare()

    async def _send_inputs(self) -> SentGraph:
        sent = await self._server.inputs.send(self._graph, self._server.catalog())
        self._outputs.sent = sent
        return sent

    async def _submit(self, sent: SentGraph) -> None:
        try:
            await self._post(sent)
        except PromptRejected as error:
            if not sent.names:
                raise JobRefused(error.message, error.node_errors) from error
            # It may have removed its input files since they were sent.
            self._server.inputs.forget()
            try:
                await self._post(await self._send_inputs())
            except PromptRejected as again:
                node_errors = with_texts(again.node_errors, sent.in_own_words)
                raise JobRefused(sent.in_own_words(again.message), node_errors) from again

    async def _post(self, sent: SentGraph) -> None:
        extra_data = {key: value for key, value in self.request.extra_data.items() if key not in _OWN_KEYS}
        for tries in range(1, _TRIES + 1):
            self.is_submitted = True
            try:
                async with asyncio.timeout(self._server.limits.request_s):
                    submission = await self._server.client.post_prompt(
                        sent.graph,
                        client_id=self._client_id,
                        prompt_id=self.prompt_id,
                        extra_data=extra_data,
                        targets=self.request.outputs,
                    )
                break
            except (TooManyRequests, ConnectionFailed) as error:
                # A full queue, or a connection that broke before the server had the job.
                if tries == _TRIES or (isinstance(error, ConnectionFailed) and tries > 1):
                    raise
                self.is_submitted = isinstance(error, ConnectionFailed)
                asked_s = error.retry_after_s if isinstance(error, TooManyRequests) else None
                await asyncio.sleep(min(max(asked_s or _PAUSE_S, _PAUSE_S), _LONGEST_PAUSE_S))
            except PromptRejected:
                self.is_submitted = False
                raise
        self.prompt_id = submission.prompt_id
        self._server.heard()
        if submission.node_errors:
            raise JobRefused("it would leave out a part of the job", submission.node_errors)

    # -- while it runs -----------------------------------------------------------------------------------------------

    async def _follow(self, stream: AsyncJobStream) -> JobEnd:
        """Tell what happens; return how it ended."""
        end: JobEnd | None = None
        if not stream.connections:
            self._started()  # nothing will tell when it does
        async with contextlib.aclosing(stream.events(self.prompt_id, is_old=self._is_found)) as events:
            async for event in events:
                self._server.heard()
                if not isinstance(event, QueueStatus):
                    self._started()
                if isinstance(event, JobEnd) and stream.end is not None:
                    end, self.is_over_there = event, True
                    if not self._needs_history(stream):
                        break
                await self._take(self._translator.feed(self._clean(event)))
                if self._translator.holds_picture:
                    asyncio.get_running_loop().call_later(_PICTURE_WAITS_S, self._release_picture)
                await asyncio.sleep(0)  # a server may tell more than anybody can hear
        if end is None:
            raise AttemptLost("the server did not say how the job ended")
        if self._needs_history(stream):
            entry = await self._server.client.history(self.prompt_id)
            if entry is not None:
                entry = replace(entry, meta=self._server.blackener.value(entry.meta))
                missed = [event for event in self._translator.missed(entry) if not self._is_known(event)]
                await self._take([*self._translator.begin(), *missed])
        await self._take(self._translator.before_end(end))
        return cast(JobEnd, self._clean(end))

    def _clean(self, event: Event) -> Event:
        """An event without the server's key and its names of our files.

        What nodes show stays, since it names files there (see `Outputs`).
        """
        clean = self._server.blackener.value
        if isinstance(event, NodeOutput):
            return replace(event, node=clean(event.node), display_node=clean(event.display_node))
        sent = self._outputs.sent
        if sent.names and isinstance(event, (JobFailure, NodeText)):
            event = with_texts(event, sent.in_own_words)
        return cast(Event, clean(event))

    def _started(self) -> None:
        if not self._has_started:
            self._has_started = True
            self._on_started()
            if events := self._translator.begin():
                self._tell(events)

    def _needs_history(self, stream: AsyncJobStream) -> bool:
        """Whether outputs may be missing: of cached nodes, or told while the socket was down."""
        return self._is_found or stream.connections != 1 or not self._cached <= self._shown.keys()

    def _is_known(self, event: AnyEvent) -> bool:
        return isinstance(event, NodeDone) and event.node.node_id in self._shown

    async def _take(self, events: list[AnyEvent]) -> None:
        told: list[AnyEvent] = []
        for event in events:
            if isinstance(event, Cached):
                self._cached = set(event.nodes)
            if isinstance(event, NodeDone) and event.output is not None:
                output = await self._fetch(event.output)
                self._shown[event.node.node_id] = output
                told.append(NodeDone(event.node, output, event.cached, event.show))
            else:
                told.append(event)
        if told:
            self._tell(told)

    async def _fetch(self, output: Mapping[str, Any]) -> dict[str, Any]:
        self.is_fetching = True
        try:
            return await self._outputs.own(output)
        finally:
            self.is_fetching = False

    def _release_picture(self) -> None:
        events = self._translator.release_picture()
        if events:
            self._tell(events)

    # -- its end -----------------------------------------------------------------------------------------------------

    def _end(self, end: JobEnd) -> End:
        if isinstance(end, JobInterruption):
            if not (self.is_cancelled or self.is_timed_out):
                raise AttemptLost("somebody else stopped it on the server")
            if self.is_timed_out and not self.is_cancelled:
                return self.stopped()
        return self._translator.end(end, self._shown)

    def stopped(self) -> End:
        """The end of an attempt that was stopped before the server said so."""
        if self.is_timed_out and not self.is_cancelled:
            text = f"The job ran longer than its limit of {self.request.timeout_s:g} s."
            return self._translator.failed(text, TIME_LIMIT, self._shown)
        return self._translator.interrupted(self._shown)

    def failed(self, message: str, exception_type: str, node: str = "") -> End:
        """The end of an attempt that cannot go well anywhere."""
        clean = self._server.blackener.text
        return self._translator.failed(clean(message), exception_type, self._shown, clean(node))

    def beginning(self) -> list[AnyEvent]:
        """What is to be told before any end."""
        return self._translator.begin()
