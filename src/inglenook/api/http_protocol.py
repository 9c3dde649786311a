"""uvicorn's HTTP protocol with limits for the head of a request: its size, and the time in which it has to come.

uvicorn has neither: a client that sends half a request keeps its connection for ever, one that sends a header of a
gigabyte has it kept in memory. Bodies have limits of their own (`boundary.py`), and may take their time.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT_BYTES = 64 << 10
HEAD_LIMIT_S = 60.0
_LINGER_S = 1.0
_TOO_LARGE = b"HTTP/1.1 431 Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class LimitedHttpProtocol(HttpToolsProtocol):
    """Gives up on requests whose head does not end."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        """Set while a head is awaited: of the first request from the start, of others once they have begun."""
        self._head_bytes = 0
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is None:
            self._head_bytes = 0
        elif self._head_bytes > HEAD_LIMIT_BYTES and not self.transport.is_closing():
            self._is_refused = True
            self.transport.write(_TOO_LARGE)
            # What is closed with data unread is reset, and the answer lost.
            self.loop.call_later(_LINGER_S, self.transport.close)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._forget_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_LIMIT_S, self.transport.close)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
