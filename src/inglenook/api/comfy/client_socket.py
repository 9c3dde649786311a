"""One connected client: what it has said about itself, and what waits to be sent to it.

The queue is bounded. When it is half full, what can be dropped is left out: progress, previews, logs, and what node
packs send on their own. When it is full, the socket is closed with 1013 and the others never notice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable

from starlette.websockets import WebSocket

from inglenook.api.comfy.outgoing import Outgoing, Previews
from inglenook.api.websocket_protocol import EXTENSION
from inglenook.dispatch.run import Run

logger = logging.getLogger(__name__)

QUEUE_BYTES = 32 << 20
QUEUE_MESSAGES = 20_000
BATCH_BYTES = 64 << 10


class ClientSocket:
    """A client and its queue."""

    def __init__(self, websocket: WebSocket, sid: str, user: str | None, *, named: bool, is_open: bool = False) -> None:
        self.sid = sid
        self.user = user
        """Who submits what comes on it; None where users are not told apart."""
        self.is_open = is_open
        """Nobody has said whose it is: it learns that from the jobs that carry its id."""
        self.users = {user}
        """Whose jobs it may hear of."""
        self.shown_user = user
        """Whose queue it is told the length of: the one learnt last."""
        self.is_named = named
        """It chose its id itself."""
        self.is_editor = False
        """It has sent feature flags: it gets ComfyUI's addressing exactly."""
        self.previews = Previews.PLAIN
        self.overrun = asyncio.Event()
        self.ended_runs: list[Run] = []
        """Of its own: their ends were queued for it."""
        self._websocket = websocket
        self._waiting: deque[Outgoing] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._has_missed = False
        self._has_learnt = False

    @property
    def hears_everything(self) -> bool:
        """Whether runs without a client id are told to it in full, and changes of every job as `task_update`."""
        return not self.is_named and not self.is_editor

    def learn(self, user: str | None) -> None:
        """An open socket is this user's, too; the default user's only until one is known."""
        if not self._has_learnt:
            self._has_learnt = True
            self.users.clear()
        self.users.add(user)
        self.shown_user = user

    def put(self, items: Iterable[Outgoing]) -> None:
        """Queue messages; drop what can be dropped when the reader is slow."""
        for item in items:
            if item.only is not None and item.only is not self.previews:
                continue
            if item.droppable and self._is_slow():
                self._miss()
                continue
            self._waiting.append(item)
            self._bytes += len(item.frame)
        if self._bytes > QUEUE_BYTES or len(self._waiting) > QUEUE_MESSAGES:
            self.overrun.set()
        self._wake.set()

    @property
    def is_idle(self) -> bool:
        """Whether everything was sent."""
        return not self._waiting

    def _is_slow(self) -> bool:
        return self._bytes > QUEUE_BYTES // 2 or len(self._waiting) > QUEUE_MESSAGES // 2

    def _miss(self) -> None:
        if not self._has_missed:
            self._has_missed = True
            logger.info("client %.50s reads slowly and misses progress or messages of node packs", self.sid)

    async def send_all(self) -> None:
        """Send what is queued, for as long as the socket lives; return when the reader was too slow."""
        takes_frames = EXTENSION in self._websocket.scope.get("extensions", {})
        while not self.overrun.is_set():
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and not self.overrun.is_set():
                if takes_frames:
                    await self._websocket.send({"type": "websocket.send", "frames": self._next_frames()})
                else:
                    payload = self._next().payload
                    kind = "text" if isinstance(payload, str) else "bytes"
                    await self._websocket.send({"type": "websocket.send", kind: payload})

    def _next_frames(self) -> list[bytes]:
        """Take at least one message from the queue, and more until they have BATCH_BYTES."""
        frames: list[bytes] = []
        size = 0
        while self._waiting and size < BATCH_BYTES:
            frame = self._next().frame
            size += len(frame)
            frames.append(frame)
        return frames

    def _next(self) -> Outgoing:
        item = self._waiting.popleft()
        self._bytes -= len(item.frame)
        return item
