"""JSON of many entries, sent piece by piece: what a client has not taken yet is not made yet.

617 history entries of 50 kB, encoded at once, kept the loop for 2.5 s; and a client that asks and never reads would
keep all of it in memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inglenook.api.errors import JSONResponse

logger = logging.getLogger(__name__)

PIECE_BYTES = 512 * 1024
PATIENCE_S = 120.0
"""How long a client may take to read one piece; then the connection is closed."""
ENTRIES_AT_ONCE = 100
"""Entries of a listing that are read together."""


class PartsResponse(Response):
    """JSON in parts that exist already, joined into pieces when the client has taken those before."""

    media_type = JSONResponse.media_type

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = parts
        super().__init__(headers={"content-length": str(sum(map(len, parts)))})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces():
            if not await taken(send, piece):
                return
        await send({"type": "http.response.body", "body": b""})

    def _pieces(self) -> Iterator[bytes]:
        size = start = 0
        for index, part in enumerate(self._parts):
            if start < index and size + len(part) > PIECE_BYTES:
                yield b"".join(self._parts[start:index])
                start, size = index, 0
            size += len(part)
        yield b"".join(self._parts[start:])


class ListingResponse(Response):
    """JSON of a listing of which the first entries are here; the others are fetched as the client takes them."""

    media_type = JSONResponse.media_type

    def __init__(
        self,
        before: bytes,
        first: Sequence[bytes],
        after: bytes,
        rest: Sequence[int] = (),
        more: Callable[[Sequence[int]], Awaitable[list[bytes]]] | None = None,
    ) -> None:
        """before, after: what encloses the entries. rest: what `more` is asked for, some at a time."""
        self._begun = before + b",".join(first)
        self._comma = b"," if first else b""
        self._after = after
        self._rest = rest
        self._more = more
        super().__init__(None if rest else self._begun + after)
        if rest:
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        if not self._rest or self._more is None:
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        piece, comma = self._begun, self._comma
        for start in range(0, len(self._rest), ENTRIES_AT_ONCE):
            if not await taken(send, piece):
                return
            entries = await self._more(self._rest[start : start + ENTRIES_AT_ONCE])
            piece = comma + b",".join(entries) if entries else b""
            comma = b"," if entries else comma
        if await taken(send, piece + self._after):
            await send({"type": "http.response.body", "body": b""})


async def taken(send: Send, piece: bytes) -> bool:
    """Send a piece; False when the client does not read, so that the rest need not be kept for it."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except TimeoutError:
        logger.warning("a client has read nothing of an answer for %g s; its connection is closed", PATIENCE_S)
        return False
    return True
