"""Asks the process that reads sound and video (`media/reader.py`), started at first use and again after its death."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from pathlib import Path
from typing import Any

from inglenook.api.errors import ApiError
from inglenook.errors import MediaError

logger = logging.getLogger(__name__)

_LIMIT_S = 20
"""Longest reading of one file."""
_START_S = 30
"""Added for the first one, which imports PyAV."""
_MOST_WAITING = 16
_LONGEST_LINE = 64 << 10


class MediaReader:
    """One process, one file after another."""

    def __init__(self, limit_s: int = _LIMIT_S) -> None:
        self._limit_s = limit_s
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def tags(self, path: Path) -> dict[str, str]:
        """Tag -> text of a sound or video file. Raises MediaError, FileNotFoundError, ApiError 503."""
        found: dict[str, str] = json.loads(await self._ask("tags", path))
        return found

    async def poster(self, path: Path, max_pixels: int) -> bytes:
        """The first picture of a video as a PNG file. Raises MediaError, FileNotFoundError, ApiError 503."""
        return await self._ask("poster", path, max_pixels=max_pixels)

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, what: str, path: Path, **fields: Any) -> bytes:
        if self._waiting >= _MOST_WAITING:
            raise ApiError(503, "busy", "Too many media files are read now", headers={"Retry-After": "5"})
        request = {"read": what, "path": str(path), "limit_s": self._limit_s, **fields}
        self._waiting += 1
        try:
            async with self._turn:
                head, body = await self._exchange(json.dumps(request).encode() + b"\n", path.name)
        finally:
            self._waiting -= 1
        if head.get("missing"):
            raise FileNotFoundError(path)
        if "error" in head:
            raise MediaError(head["error"])
        return body

    async def _exchange(self, request: bytes, name: str) -> tuple[dict[str, Any], bytes]:
        limit_s = self._limit_s
        if self._process is None or self._process.returncode is not None:
            limit_s += _START_S
            self._process = await self._started()
        is_whole = False
        try:
            async with asyncio.timeout(limit_s):
                answer = await _exchange_with(self._process, request)
            is_whole = True
        except TimeoutError:
            raise MediaError(f"{name} takes longer than {self._limit_s} s to read") from None
        except (EOFError, OSError, ValueError):
            code = await self._process.wait()
            logger.warning("the process that reads media files ended with code %s over %s", code, name)
            raise MediaError(f"{name} cannot be read: the process that tried has ended") from None
        finally:
            if not is_whole:  # an answer that nobody waits for would be taken for the next one
                await self.close()
        return answer

    async def _started(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "inglenook.media.reader",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_LONGEST_LINE,
        )


async def _exchange_with(process: asyncio.subprocess.Process, request: bytes) -> tuple[dict[str, Any], bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(request)
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise EOFError
    head: dict[str, Any] = json.loads(line)
    return head, await process.stdout.readexactly(head.get("size", 0))
