"""Head and body of an answer in one write.

uvicorn writes them apart and uvloop sends each at once: two system calls and two packets for a short answer, which cost
more than everything else that is done for it (`GET /prompt`: 50 us of CPU with 16 clients instead of 57).
"""

from __future__ import annotations

import asyncio
from typing import Any

_LARGE = 64 << 10


class JoinedWrites:
    """A transport that holds what is written until the next write, or until the event loop comes round."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = transport
        self._loop = loop
        self._held: bytes = b""

    def write(self, data: bytes) -> None:
        """Send what was held together with `data`; hold `data` when there was nothing."""
        held = self._held
        if not held:
            if len(data) > _LARGE:
                self.transport.write(data)
                return
            self._held = data
            self._loop.call_soon(self._flush)
            return
        self._held = b""
        if len(data) > _LARGE:
            self.transport.writelines((held, data))
        else:
            self.transport.write(held + data)

    def close(self) -> None:
        """Send what is held, then close."""
        self._flush()
        self.transport.close()

    def take(self) -> bytes:
        """What is held, for somebody else to send."""
        held, self._held = self._held, b""
        return held

    def is_closing(self) -> bool:
        return self.transport.is_closing()

    def _flush(self) -> None:
        if held := self.take():
            self.transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)
