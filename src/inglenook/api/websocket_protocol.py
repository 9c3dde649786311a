"""uvicorn's WebSocket protocol with two additions: several messages in one write, and an end for deaf clients.

A short job has a dozen messages for its client within a millisecond; each write of its own is a system call, and those
were a third of the event loop's time. The ASGI message `{"type": "websocket.send", "batch": [str | bytes, ...]}` sends
them together. A connection that can take it says so by `EXTENSION` in `scope["extensions"]`.

A transport that is closed waits until what is buffered has been sent: for ever, when the client does not read. So it
gets ABORT_AFTER_S from the moment that the app is done with it, and is then cut.
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

EXTENSION = "inglenook.websocket.batch"
ABORT_AFTER_S = 5.0


class BatchingProtocol(WebSocketsSansIOProtocol):
    """Understands `batch`; drops clients that do not let it close."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.app = _announcing(self.app)

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            if not self.disconnected:
                self.loop.call_later(ABORT_AFTER_S, self._abort)

    def _abort(self) -> None:
        if not self.disconnected:
            self.transport.abort()

    async def send(self, message: Any) -> None:
        batch = message.get("batch")
        if batch is None or not self.handshake_complete:
            await super().send(message)
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent:
            raise ClientDisconnected
        try:
            for item in batch:
                if isinstance(item, str):
                    self.conn.send_text(item.encode())
                else:
                    self.conn.send_binary(item)
        except InvalidState as error:
            raise ClientDisconnected from error
        self.transport.write(b"".join(self.conn.data_to_send()))


def _announcing(app: Any) -> ASGIApp:
    async def announcing(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[EXTENSION] = {}
        await app(scope, receive, send)

    return announcing
