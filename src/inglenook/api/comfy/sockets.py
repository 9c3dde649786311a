"""`GET /ws`: who is connected, what each is sent, and what happens to those who do not read.

One bounded queue and one sending task per socket. When a queue is half full, progress and previews are left out; when
it is full, the socket is closed with 1013 and the others never notice. A run's messages are rendered once for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from inglenook.api.comfy.messages import Outgoing, RunMessages, Scope, final_messages, message, status
from inglenook.api.websocket_protocol import EXTENSION
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.run import Run
from inglenook.engine.events import AnyEvent, Custom, NodeStarted
from inglenook.jobs import JobId, JobStore

logger = logging.getLogger(__name__)

QUEUE_BYTES = 32 << 20
QUEUE_MESSAGES = 20_000
BATCH_BYTES = 64 << 10
PARSED_CHARACTERS = 64 << 10
"""Longest message of a client that is parsed; feature flags are some hundred bytes."""
STATUS_INTERVAL_S = 0.05
"""Sockets that do not own the job hear of the queue's length at most this often."""
CLOSE_TRY_AGAIN_LATER = 1013


class Socket:
    """One connected client: its flags and what waits to be sent."""

    def __init__(self, websocket: WebSocket, sid: str, *, named: bool) -> None:
        self.sid = sid
        self.is_named = named
        self.is_editor = False
        """It has sent feature flags: it gets ComfyUI's addressing exactly."""
        self.wants_described_previews = False
        self._websocket = websocket
        self._waiting: deque[Outgoing] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self.overrun = asyncio.Event()

    @property
    def hears_everything(self) -> bool:
        """Whether runs without a client id are told to it in full."""
        return not self.is_named and not self.is_editor

    def put(self, items: Iterable[Outgoing]) -> None:
        """Queue messages; drop what can be dropped when the reader is slow."""
        for item in items:
            if (item.only_described and not self.wants_described_previews) or (
                item.only_plain and self.wants_described_previews
            ):
                continue
            is_slow = self._bytes > QUEUE_BYTES // 2 or len(self._waiting) > QUEUE_MESSAGES // 2
            if is_slow and item.droppable:
                continue
            self._waiting.append(item)
            self._bytes += item.size
        if self._bytes > QUEUE_BYTES or len(self._waiting) > QUEUE_MESSAGES:
            self.overrun.set()
        self._wake.set()

    async def send_all(self) -> None:
        """Send what is queued, for as long as the socket lives; return when the reader was too slow."""
        can_batch = EXTENSION in self._websocket.scope.get("extensions", {})
        while not self.overrun.is_set():
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and not self.overrun.is_set():
                batch = self._next_batch(BATCH_BYTES if can_batch else 0)
                if len(batch) > 1:
                    await self._websocket.send({"type": "websocket.send", "batch": batch})
                else:
                    kind = "text" if isinstance(batch[0], str) else "bytes"
                    await self._websocket.send({"type": "websocket.send", kind: batch[0]})

    def _next_batch(self, limit: int) -> list[str | bytes]:
        """Take at least one message from the queue, and more until they have `limit` bytes."""
        batch: list[str | bytes] = []
        size = 0
        while self._waiting and (not batch or size < limit):
            item = self._waiting.popleft()
            size += item.size
            batch.append(item.payload(described=self.wants_described_previews))
        self._bytes -= size
        return batch


class SocketHub:
    """All sockets of a server; listens to the bus."""

    def __init__(self, dispatcher: Dispatcher, store: JobStore, features: dict[str, Any]) -> None:
        self._dispatcher = dispatcher
        self._store = store
        self._features = features
        self._sockets: set[Socket] = set()
        self._by_sid: dict[str, Socket] = {}
        self._renderers: dict[str, tuple[int, RunMessages]] = {}
        """Job id -> attempt and what renders it; a new attempt starts with a new one."""
        self._status_timer: asyncio.TimerHandle | None = None
        self._told_at = float("-inf")
        self._change = 0
        """Counts changes of the queue."""
        self._told: dict[Socket, int] = {}
        """The change that each socket was told of last."""

    # -- the bus speaks ----------------------------------------------------------------------------------------------

    def run_events(self, run: Run, events: Sequence[AnyEvent]) -> None:
        """Render events and queue them where they belong."""
        if not self._sockets:
            return
        if any(type(event) is Custom for event in events):
            for is_custom, group in groupby(events, lambda event: type(event) is Custom):
                if is_custom:
                    self._tell_custom(group)
                else:
                    self._tell(run, list(group))
        else:
            self._tell(run, events)

    def _tell(self, run: Run, events: Sequence[AnyEvent]) -> None:
        targets = self._targets(run)
        if not targets:
            return
        attempt, renderer = self._renderers.get(run.job.id, (None, None))
        if renderer is None or attempt != run.job.attempt:
            renderer = RunMessages(run.job.id)
            self._renderers[run.job.id] = (run.job.attempt, renderer)
        self._deliver(run, targets, renderer.render_all(events))

    def _tell_custom(self, events: Iterable[AnyEvent]) -> None:
        for event in events:
            if isinstance(event, Custom):
                self.notice(event.name, event.data, event.client_id)

    def notice(self, name: str, data: Any, client_id: str | None) -> None:
        """Tell one client, or everybody, what a node pack has to say."""
        chosen = self._sockets if client_id is None else filter(None, (self._by_sid.get(client_id),))
        item = Outgoing(message(name, data))
        for socket in list(chosen):
            socket.put([item])

    def tell_editors(self, name: str, data: dict[str, Any]) -> None:
        """Tell the editors that are connected, and no other client, what only they know."""
        if any(socket.is_editor for socket in self._sockets):
            item = Outgoing(message(name, data), droppable=True)
            for socket in list(self._sockets):
                if socket.is_editor:
                    socket.put([item])

    def run_left(self, run: Run) -> None:
        self._renderers.pop(run.job.id, None)
        self._deliver(run, self._targets(run), [RunMessages(run.job.id).left()])

    def queue_changed(self, remaining: int, run: Run | None) -> None:
        """Tell the owner of the job at once, the others too unless they were told just now: then soon."""
        self._change += 1
        owner = self._by_sid.get(run.job.client_id) if run is not None and run.job.client_id else None
        if owner is not None:
            owner.put([Outgoing(status(remaining))])
            self._told[owner] = self._change
        if self._status_timer is None and len(self._sockets) > (owner is not None):
            loop = asyncio.get_running_loop()
            at = max(loop.time(), self._told_at + STATUS_INTERVAL_S)
            self._status_timer = loop.call_at(at, self._tell_status)

    def _tell_status(self) -> None:
        self._status_timer = None
        self._told_at = asyncio.get_running_loop().time()
        item = Outgoing(status(self._dispatcher.remaining))
        for socket in self._sockets:
            if self._told.get(socket) != self._change:
                socket.put([item])
                self._told[socket] = self._change

    def _targets(self, run: Run) -> list[Socket]:
        if run.job.client_id is None:
            return list(self._sockets)
        return [self._by_sid[client_id] for client_id in run.client_ids if client_id in self._by_sid]

    def _deliver(self, run: Run, targets: list[Socket], items: list[Outgoing]) -> None:
        if run.job.client_id is not None:
            for socket in targets:
                socket.put(items)
            return
        for_everyone = [item for item in items if item.scope is Scope.EVERYONE]
        for socket in targets:
            socket.put(items if socket.hears_everything else for_everyone)

    # -- clients -----------------------------------------------------------------------------------------------------

    async def serve(self, websocket: WebSocket) -> None:
        """Handle one connection until it ends."""
        wanted = websocket.query_params.get("clientId", "")
        socket = Socket(websocket, wanted or uuid.uuid4().hex, named=bool(wanted))
        await websocket.accept()
        self._sockets.add(socket)
        self._by_sid[socket.sid] = socket
        remaining = self._dispatcher.remaining
        self._told[socket] = self._change
        socket.put([Outgoing(status(remaining, socket.sid)), *self._missed(socket.sid)])
        tasks = {
            asyncio.create_task(socket.send_all()),
            asyncio.create_task(socket.overrun.wait()),
            asyncio.create_task(self._receive(websocket, socket)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._sockets.discard(socket)
            self._told.pop(socket, None)
            if self._by_sid.get(socket.sid) is socket:
                del self._by_sid[socket.sid]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if websocket.application_state is WebSocketState.CONNECTED:
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(1):
                        await websocket.close(CLOSE_TRY_AGAIN_LATER)

    def _missed(self, sid: str) -> list[Outgoing]:
        """What a client that comes late is told of its jobs: of those that run, and of those that ended lately."""
        items: list[Outgoing] = []
        for run in self._dispatcher.recent(sid):
            if run.is_committed and run.result is not None:
                items += final_messages(run.job, run.result)
                continue
            if not run.is_told:  # its events are still to come
                continue
            renderer = RunMessages(run.job.id)
            events: list[AnyEvent] = [event for event in (run.started, run.cached, *run.done) if event is not None]
            if run.current is not None:
                events.append(NodeStarted(run.current))
            items += [item for item in renderer.render_all(events) if not item.droppable]
        return items

    async def repeat(self, job_id: str, client_id: str) -> None:
        """Tell a client that submitted a known job again what it would have heard of its end, if it has ended."""
        socket = self._by_sid.get(client_id)
        if socket is None:
            return
        run = self._dispatcher.find(job_id)
        if run is not None:
            if run.is_committed and run.result is not None:
                socket.put(final_messages(run.job, run.result))
            return
        entry = await self._store.history_entry(JobId(job_id))
        if entry is not None:
            socket.put(final_messages(entry.job, entry.result))

    async def _receive(self, websocket: WebSocket, socket: Socket) -> None:
        """Read until the client leaves. Only the first JSON message means something: its feature flags, if any."""
        is_first = True
        while True:
            try:
                received = await websocket.receive()
            except (WebSocketDisconnect, RuntimeError):
                return
            if received["type"] == "websocket.disconnect":
                return
            text = received.get("text")
            if not is_first or not text or len(text) > PARSED_CHARACTERS:
                continue
            try:
                parsed = orjson.loads(text)
            except orjson.JSONDecodeError:
                continue
            if isinstance(parsed, dict) and parsed.get("type") == "feature_flags":
                flags = parsed.get("data")
                if isinstance(flags, dict):
                    socket.is_editor = True
                    socket.wants_described_previews = flags.get("supports_preview_metadata") is True
                socket.put([Outgoing(message("feature_flags", self._features))])
            is_first = False
