"""JSON of many entries: encoded away from the event loop, sent piece by piece.

617 history entries of 50 kB, encoded at once, kept the loop for 2.5 s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inglenook.api.errors import JSONResponse

_ENTRIES = 50
T = TypeVar("T")


def joined_parts(items: Sequence[T], encode: Callable[[T], bytes]) -> list[bytes]:
    """Return the encoded items with commas between them, some per part; for a thread: others run between the items."""
    parts = []
    for start in range(0, len(items), _ENTRIES):
        comma = b"," if start else b""
        parts.append(comma + b",".join([encode(item) for item in items[start : start + _ENTRIES]]))
    return parts


class PartsResponse(Response):
    """JSON in parts, each sent when the client has taken those before."""

    media_type = JSONResponse.media_type

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = parts
        super().__init__(headers={"content-length": str(sum(map(len, parts)))})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
