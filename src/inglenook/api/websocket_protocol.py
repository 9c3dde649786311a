"""uvicorn's WebSocket protocol with one addition: several messages in one write.

A short job has a dozen messages for its client within a millisecond; each write of its own is a system call, and those
were a third of the event loop's time. The ASGI message `{"type": "websocket.send", "batch": [str | bytes, ...]}` sends
them together. A connection that can take it says so by `EXTENSION` in `scope["extensions"]`.
"""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

EXTENSION = "inglenook.websocket.batch"


class BatchingProtocol(WebSocketsSansIOProtocol):
    """Understands `batch`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.app = _announcing(self.app)

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
