"""`GET /ws`: who is connected and what each is sent.

One bounded queue and one sending task per socket (`client_socket.py`). A run's messages are rendered once for all.
Who is meant by a message is for `connected.py` to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

from starlette.websockets import WebSocket, WebSocketState

from inglenook.api.comfy.client_socket import ClientSocket
from inglenook.api.comfy.connected import Connected
from inglenook.api.comfy.messages import RunMessages, addressed, final_messages, message, of_pack, status
from inglenook.api.comfy.outgoing import Outgoing, Scope
from inglenook.api.comfy.socket_commands import SocketCommands
from inglenook.api.comfy.task_updates import TaskUpdates
from inglenook.api.deps import is_open, owner
from inglenook.api.log_feed import Entry, LogFeed, logs_event
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.run import Run
from inglenook.engine.events import AnyEvent, Custom, NodeStarted, Text
from inglenook.jobs import JobId, JobStore

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
        self._sockets = Connected()
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
        for is_addressed, group in groupby(events, lambda event: type(event) in (Custom, Text)):
            if is_addressed:
                self._tell_addressed(run, group)
            else:
                self._tell(run, list(group))
        watchers = self._sockets.watchers(run)
        if watchers and (update := self._task_updates.went_on(run, events)) is not None:
            _put(watchers, [update])

    def _tell(self, run: Run, events: Sequence[AnyEvent]) -> None:
        targets = self._sockets.targets(run)
        if not targets:
            return
        attempt, renderer = self._renderers.get(run.job.id, (None, None))
        if renderer is None or attempt != run.job.attempt:
            renderer = RunMessages(run.job.id)
            self._renderers[run.job.id] = (run.job.attempt, renderer)
        self._deliver(run, targets, renderer.render_all(events))

    def _tell_addressed(self, run: Run, events: Iterable[AnyEvent]) -> None:
        """What a node sends during a run: to a client of the run's user, or to all of them."""
        user = run.job.user
        for event in events:
            if isinstance(event, Custom | Text) and (item := addressed(event)) is not None:
                sid = event.client_id
                _put(self._sockets.of_user(user) if sid is None else self._sockets.named(user, sid), [item])

    def notice(self, name: str, data: Any, client_id: str | None) -> None:
        """Tell one client, or everybody, what a node pack has to say outside a run."""
        item = of_pack(name, data)
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
        targets = self._sockets.targets(run)
        self._deliver(run, targets, [RunMessages(run.job.id).left()])
        if run.job.client_id is not None:
            for socket in targets:
                socket.ended_runs.append(run)
        watchers = self._sockets.watchers(run)
        if watchers:
            _put(watchers, [self._task_updates.ended(run)])
        else:
            self._task_updates.forget(run.job.id)

    def run_retried(self, run: Run, reason: str) -> None:
        """Tell the owner why the job begins anew: its nodes are executed again."""
        text = f"The process that ran job {run.job.id} was ended ({reason}) and was started again; so is the job."
        self._deliver(run, self._sockets.targets(run), [message("notification", {"value": text, "id": run.job.id})])

    def runs_cancelled(self, runs: Sequence[Run]) -> None:
        for run in runs:
            if watchers := self._sockets.watchers(run):
                _put(watchers, [self._task_updates.cancelled(run)])

    def queue_changed(self, remaining: int, run: Run | None) -> None:
        """Tell the owner of the job at once, the others too unless they were told just now: then soon."""
        self._change += 1
        owners = [] if run is None else self._owners(run)
        self._put_status(owners)
        if self._status_timer is None and len(self._sockets) > len(owners):
            loop = asyncio.get_running_loop()
            at = max(loop.time(), self._told_at + STATUS_INTERVAL_S)
            self._status_timer = loop.call_at(at, self._tell_status)
        if run is not None and not run.job.state.is_end and (watchers := self._sockets.watchers(run)):
            _put(watchers, [self._task_updates.changed(run)])

    def _owners(self, run: Run) -> list[ClientSocket]:
        """Who hears all of a run, and so of the queue in its turn: the last `status` comes before the run's end.

        An open socket learns here of its user: before, it is told of no job of that user.
        """
        for client_id in run.client_ids:
            self._sockets.learn(run.job.user, client_id)
        return [socket for socket in self._sockets.targets(run) if self._sockets.hears_all(socket, run)]

    def _tell_status(self) -> None:
        self._status_timer = None
        self._told_at = asyncio.get_running_loop().time()
        self._put_status(socket for socket in self._sockets if self._told.get(socket) != self._change)

    def _put_status(self, sockets: Iterable[ClientSocket]) -> None:
        items: dict[str | None, Outgoing] = {}
        for socket in sockets:
            user = socket.shown_user
            item = items.get(user) or items.setdefault(user, status(self._remaining(user)))
            socket.put([item])
            self._told[socket] = self._change

    def _remaining(self, user: str | None) -> int:
        """How many jobs the user sees in `/queue`."""
        return self._dispatcher.remaining_of(user)

    def _deliver(self, run: Run, targets: list[ClientSocket], items: list[Outgoing]) -> None:
        for_everyone = [item for item in items if item.scope is Scope.EVERYONE]
        for socket in targets:
            socket.put(items if self._sockets.hears_all(socket, run) else for_everyone)

    # -- logs --------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def showing_logs(self) -> Iterator[None]:
        """Collect log records, and send them to those who want them, for the time of the block."""
        with self.logs.attached(self._tell_logs):
            yield

    def show_logs(self, user: str | None, sid: str, *, enabled: bool) -> None:
        """Send new log lines to a socket, or no longer; also to one that connects later."""
        self._log_readers.pop((user, sid), None)
        self._sockets.learn(user, sid)
        if enabled:
            self._log_readers[(user, sid)] = None
            while len(self._log_readers) > _MOST_LOG_READERS:
                del self._log_readers[next(iter(self._log_readers))]

    def _tell_logs(self, entries: list[Entry]) -> None:
        readers = {socket for user, sid in self._log_readers for socket in self._sockets.named(user, sid)}
        if readers:
            _put(readers, [message("logs", logs_event(entries), droppable=True)])

    # -- clients -----------------------------------------------------------------------------------------------------

    async def serve(self, websocket: WebSocket) -> None:
        """Handle one connection until it ends."""
        wanted = client_id_of(websocket.scope.get("query_string", b""))
        sid, user = wanted or uuid.uuid4().hex, owner(websocket)
        socket = ClientSocket(websocket, sid, user, named=bool(wanted), is_open=is_open(websocket))
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
        older = self._sockets.enter(socket)
        if older is not None:
            self._told.pop(older, None)
        missed = self._missed(socket)
        self._told[socket] = self._change
        socket.put([status(self._remaining(socket.shown_user), socket.sid), *missed])

    def _leave(self, socket: ClientSocket) -> None:
        self._sockets.leave(socket)
        self._told.pop(socket, None)

    def _missed(self, socket: ClientSocket) -> list[Outgoing]:
        """What a client that comes late is told of its jobs: of those that run, and of those that ended lately."""
        items: list[Outgoing] = []
        for run in self._dispatcher.recent(socket.sid):
            if socket.is_open:
                socket.learn(run.job.user)
            elif run.job.user != socket.user:
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
            if run.is_committed and run.result is not None:
                _put(self._sockets.named(run.job.user, client_id), final_messages(run.job, run.result))
            return
        entry = await self._store.history_entry(JobId(job_id))
        if entry is not None:
            _put(self._sockets.named(entry.job.user, client_id), final_messages(entry.job, entry.result))


def client_id_of(query: bytes) -> str:
    """The `clientId` of a query, the first if there are several; empty when there is none."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return next((value for name, value in pairs if name == "clientId"), "")


def _put(sockets: Iterable[ClientSocket], items: Sequence[Outgoing]) -> None:
    for socket in sockets:
        socket.put(items)
