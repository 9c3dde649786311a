"""`GET /ws`: who is connected and what each is sent.

One bounded queue and one sending task per socket (`client_socket.py`). A run's messages are rendered once for all.
Where users are told apart, a socket hears of its user's jobs alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.websockets import WebSocket, WebSocketState

from inglenook.api.comfy.client_socket import ClientSocket
from inglenook.api.comfy.messages import RunMessages, final_messages, message, status
from inglenook.api.comfy.outgoing import Outgoing, Scope
from inglenook.api.comfy.socket_commands import SocketCommands
from inglenook.api.comfy.task_updates import TaskUpdates
from inglenook.api.deps import owner
from inglenook.api.log_feed import Entry, LogFeed, logs_event
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.run import Run
from inglenook.engine.events import AnyEvent, Custom, NodeStarted
from inglenook.jobs import JobId, JobStore

logger = logging.getLogger(__name__)

STATUS_INTERVAL_S = 0.05
"""Sockets that do not own the job hear of the queue's length at most this often."""
_SAID_GOODBYE = (1000, 1005)
"""Codes of a client that has got what it wanted; a page that is loaded again says 1001."""
CLOSE_TRY_AGAIN_LATER = 1013
_MOST_LOG_READERS = 1000


class SocketHub:
    """All sockets of a server; listens to the bus."""

    def __init__(self, dispatcher: Dispatcher, store: JobStore, features: dict[str, Any]) -> None:
        self.logs = LogFeed()
        self._dispatcher = dispatcher
        self._store = store
        self._commands = SocketCommands(features)
        self._sockets: set[ClientSocket] = set()
        """Those that hear what is told to all: the newest of each id."""
        self._by_sid: dict[tuple[str | None, str], ClientSocket] = {}
        """(user, sid) -> the newest socket of that id."""
        self._renderers: dict[str, tuple[int, RunMessages]] = {}
        """Job id -> attempt and what renders it; a new attempt starts with a new one."""
        self._task_updates = TaskUpdates()
        self._log_readers: dict[tuple[str | None, str], None] = {}
        """(user, sid) of those who want log lines, connected or not, in the order in which they asked."""
        self._status_timer: asyncio.TimerHandle | None = None
        self._told_at = float("-inf")
        self._change = 0
        """Counts changes of the queue."""
        self._told: dict[ClientSocket, int] = {}
        """The change that each socket was told of last."""

    @property
    def count(self) -> int:
        """How many sockets are connected."""
        return len(self._sockets)

    # -- the bus speaks ----------------------------------------------------------------------------------------------

    def run_events(self, run: Run, events: Sequence[AnyEvent]) -> None:
        """Render events and queue them where they belong."""
        if not self._sockets:
            return
        if any(type(event) is Custom for event in events):
            for is_custom, group in groupby(events, lambda event: type(event) is Custom):
                if is_custom:
                    self._tell_custom(run.job.user, group)
                else:
                    self._tell(run, list(group))
        else:
            self._tell(run, events)
        watchers = self._watchers(run)
        if watchers and (update := self._task_updates.went_on(run, events)) is not None:
            _put(watchers, [update])

    def _tell(self, run: Run, events: Sequence[AnyEvent]) -> None:
        targets = self._targets(run)
        if not targets:
            return
        attempt, renderer = self._renderers.get(run.job.id, (None, None))
        if renderer is None or attempt != run.job.attempt:
            renderer = RunMessages(run.job.id)
            self._renderers[run.job.id] = (run.job.attempt, renderer)
        self._deliver(run, targets, renderer.render_all(events))

    def _tell_custom(self, user: str | None, events: Iterable[AnyEvent]) -> None:
        """What a node pack sends during a run: to a client of the run's user, or to all of them."""
        customs = (event for event in events if isinstance(event, Custom))
        for client_id, group in groupby(customs, lambda event: event.client_id):
            items = [item for event in group if (item := _pack_message(event.name, event.data)) is not None]
            if client_id is None:
                _put(self._of_user(user), items)
            elif (socket := self._by_sid.get((user, client_id))) is not None:
                socket.put(items)

    def notice(self, name: str, data: Any, client_id: str | None) -> None:
        """Tell one client, or everybody, what a node pack has to say outside a run."""
        item = _pack_message(name, data)
        if item is not None:
            _put([socket for socket in self._sockets if client_id in (None, socket.sid)], [item])

    def tell_editors(self, name: str, data: dict[str, Any]) -> None:
        """Tell the editors that are connected, and no other client, what only they know."""
        editors = [socket for socket in self._sockets if socket.is_editor]
        if editors:
            _put(editors, [message(name, data, droppable=True)])

    def tell_only_editor(self, user: str | None, name: str, data: dict[str, Any]) -> None:
        """Tell the editor of a user, if exactly one is connected."""
        editors = [socket for socket in self._sockets if socket.is_editor and socket.user == user]
        if len(editors) == 1:
            _put(editors, [message(name, data, droppable=True)])

    def run_left(self, run: Run) -> None:
        self._renderers.pop(run.job.id, None)
        targets = self._targets(run)
        self._deliver(run, targets, [RunMessages(run.job.id).left()])
        if run.job.client_id is not None:
            for socket in targets:
                socket.ended_runs.append(run)
        watchers = self._watchers(run)
        if watchers:
            _put(watchers, [self._task_updates.ended(run)])
        else:
            self._task_updates.forget(run.job.id)

    def run_retried(self, run: Run, reason: str) -> None:
        """Tell the owner why the job begins anew: its nodes are executed again."""
        text = f"The process that ran job {run.job.id} was ended ({reason}) and was started again; so is the job."
        self._deliver(run, self._targets(run), [message("notification", {"value": text, "id": run.job.id})])

    def runs_cancelled(self, runs: Sequence[Run]) -> None:
        for run in runs:
            if watchers := self._watchers(run):
                _put(watchers, [self._task_updates.cancelled(run)])

    def queue_changed(self, remaining: int, run: Run | None) -> None:
        """Tell the owner of the job at once, the others too unless they were told just now: then soon."""
        self._change += 1
        owner = None if run is None else self._by_sid.get((run.job.user, run.job.client_id or ""))
        if owner is not None:
            owner.put([status(self._remaining(owner.user))])
            self._told[owner] = self._change
        if self._status_timer is None and len(self._sockets) > (owner is not None):
            loop = asyncio.get_running_loop()
            at = max(loop.time(), self._told_at + STATUS_INTERVAL_S)
            self._status_timer = loop.call_at(at, self._tell_status)
        if run is not None and not run.job.state.is_end and (watchers := self._watchers(run)):
            _put(watchers, [self._task_updates.changed(run)])

    def _tell_status(self) -> None:
        self._status_timer = None
        self._told_at = asyncio.get_running_loop().time()
        items: dict[str | None, Outgoing] = {}
        for socket in self._sockets:
            if self._told.get(socket) != self._change:
                item = items.get(socket.user)
                if item is None:
                    item = items[socket.user] = status(self._remaining(socket.user))
                socket.put([item])
                self._told[socket] = self._change

    def _remaining(self, user: str | None) -> int:
        """How many jobs the user sees in `/queue`."""
        return self._dispatcher.remaining_of(user)

    # -- logs --------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def showing_logs(self) -> Iterator[None]:
        """Collect log records, and send them to those who want them, for the time of the block."""
        with self.logs.attached(self._tell_logs):
            yield

    def show_logs(self, user: str | None, sid: str, *, enabled: bool) -> None:
        """Send new log lines to a socket, or no longer; also to one that connects later."""
        self._log_readers.pop((user, sid), None)
        if enabled:
            self._log_readers[(user, sid)] = None
            while len(self._log_readers) > _MOST_LOG_READERS:
                del self._log_readers[next(iter(self._log_readers))]

    def _tell_logs(self, entries: list[Entry]) -> None:
        readers = [socket for key in self._log_readers if (socket := self._by_sid.get(key)) is not None]
        if readers:
            _put(readers, [message("logs", logs_event(entries), droppable=True)])

    # -- addressing --------------------------------------------------------------------------------------------------

    def _of_user(self, user: str | None) -> list[ClientSocket]:
        return [socket for socket in self._sockets if socket.user == user]

    def _watchers(self, run: Run) -> list[ClientSocket]:
        """Sockets that hear of the job as `task_update`."""
        user = run.job.user
        return [socket for socket in self._sockets if socket.hears_everything and socket.user == user]

    def _targets(self, run: Run) -> list[ClientSocket]:
        user = run.job.user
        if run.job.client_id is None:
            return self._of_user(user)
        chosen = (self._by_sid.get((user, client_id)) for client_id in run.client_ids)
        return [socket for socket in chosen if socket is not None]

    def _deliver(self, run: Run, targets: list[ClientSocket], items: list[Outgoing]) -> None:
        if run.job.client_id is not None:
            _put(targets, items)
            return
        for_everyone = [item for item in items if item.scope is Scope.EVERYONE]
        for socket in targets:
            # A client that has submitted the same job under its own id wants all of it.
            is_meant = socket.hears_everything or socket.sid in run.also_for
            socket.put(items if is_meant else for_everyone)

    # -- clients -----------------------------------------------------------------------------------------------------

    async def serve(self, websocket: WebSocket) -> None:
        """Handle one connection until it ends."""
        wanted = client_id_of(websocket.scope.get("query_string", b""))
        socket = ClientSocket(websocket, wanted or uuid.uuid4().hex, owner(websocket), named=bool(wanted))
        await websocket.accept()
        self._enter(socket)
        reading = asyncio.create_task(self._commands.read(websocket, socket))
        tasks = {
            asyncio.create_task(socket.send_all()),
            asyncio.create_task(socket.overrun.wait()),
            reading,
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._leave(socket)
            if reading.done() and socket.is_idle and reading.result() in _SAID_GOODBYE:
                for run in socket.ended_runs:
                    run.is_heard = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if websocket.application_state is WebSocketState.CONNECTED:
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(1):
                        await websocket.close(CLOSE_TRY_AGAIN_LATER)

    async def close(self) -> None:
        """Wait for submissions that came on sockets; call it once the dispatcher takes no more."""
        await self._commands.close()

    def _enter(self, socket: ClientSocket) -> None:
        """Connect a socket; an older one of the same id stays open and hears nothing any more."""
        key = (socket.user, socket.sid)
        older = self._by_sid.get(key)
        if older is not None:
            self._sockets.discard(older)
            self._told.pop(older, None)
        self._by_sid[key] = socket
        self._sockets.add(socket)
        self._told[socket] = self._change
        socket.put([status(self._remaining(socket.user), socket.sid), *self._missed(socket)])

    def _leave(self, socket: ClientSocket) -> None:
        self._sockets.discard(socket)
        self._told.pop(socket, None)
        key = (socket.user, socket.sid)
        if self._by_sid.get(key) is socket:
            del self._by_sid[key]

    def _missed(self, socket: ClientSocket) -> list[Outgoing]:
        """What a client that comes late is told of its jobs: of those that run, and of those that ended lately."""
        items: list[Outgoing] = []
        for run in self._dispatcher.recent(socket.sid):
            if run.job.user != socket.user:
                continue
            if run.is_committed and run.result is not None:
                if not run.is_heard:
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
        run = self._dispatcher.find(job_id)
        if run is not None:
            socket = self._by_sid.get((run.job.user, client_id))
            if socket is not None and run.is_committed and run.result is not None:
                socket.put(final_messages(run.job, run.result))
            return
        entry = await self._store.history_entry(JobId(job_id))
        if entry is not None and (socket := self._by_sid.get((entry.job.user, client_id))) is not None:
            socket.put(final_messages(entry.job, entry.result))


def client_id_of(query: bytes) -> str:
    """The `clientId` of a query, the first if there are several; empty when there is none."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return next((value for name, value in pairs if name == "clientId"), "")


def _put(sockets: Iterable[ClientSocket], items: Sequence[Outgoing]) -> None:
    for socket in sockets:
        socket.put(items)


def _pack_message(name: str, data: Any) -> Outgoing | None:
    """What a node pack sends; a slow reader may miss it, since nobody knows how much of it there will be."""
    try:
        return message(name, data, droppable=True)
    except orjson.JSONEncodeError:
        logger.exception("message %.100s of a node pack could not be told", name)
        return None
