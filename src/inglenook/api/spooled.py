"""The body of a request as a file: in memory while it is small, on the disk beyond that. `boundary.py` limits it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO, cast

from starlette.requests import ClientDisconnect, Request

from inglenook.api.errors import ApiError
from inglenook.media.uploads import Pieces

_HELD_BYTES = 4 << 20


@asynccontextmanager
async def spooled_body(request: Request) -> AsyncIterator[Pieces]:
    """The whole body, as long as the block lasts. Raises ApiError 400 when the client goes away, 413."""
    # A form's files are of this class, too, and typed BinaryIO there.
    with tempfile.SpooledTemporaryFile(_HELD_BYTES) as file:
        size = 0
        try:
            async for piece in request.stream():
                size += len(piece)
                if size > _HELD_BYTES:
                    await asyncio.to_thread(file.write, piece)
                else:
                    file.write(piece)
        except ClientDisconnect:
            raise ApiError(400, "incomplete_body", "The client went away") from None
        yield Pieces(cast(BinaryIO, file))
