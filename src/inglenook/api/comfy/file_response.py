"""A file as an HTTP answer: conditional requests, ranges, and types that could run in a browser made harmless.

RFC 9110 sections 13 and 14. Where the server can (`api/file_sending.py`) the system sends what is not small; elsewhere
what the system has in memory is sent without a wait for another thread.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from itertools import count
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inglenook.api.boundary import IS_HEAD
from inglenook.api.compression import WILL_COMPRESS, is_compressible
from inglenook.api.errors import ApiError
from inglenook.api.etags import is_known
from inglenook.api.file_sending import EXTENSION
from inglenook.media.kinds import content_type

_SMALL_BYTES = 512 * 1024
"""Read together with opening the file and sent in one go: most pictures."""
_PIECE_BYTES = 128 * 1024
_PIECES_IN_A_ROW = 8
"""After so many pieces other requests have their turn, even when the client keeps up."""
_PART_BYTES = 16 << 20
"""Sent by the system in one go: so often the layers around see that the answer goes on."""
_RANGE = re.compile(r"^bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})$", re.IGNORECASE)

_ACTIVE_TYPES = frozenset(
    {
        "text/html",
        "text/html-sandboxed",
        "text/javascript",
        "text/css",
        "text/xml",
        "application/javascript",
        "application/x-javascript",
        "application/ecmascript",
        "application/xml",
        "message/rfc822",
    }
)
_SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, slots=True)
class _State:
    """What a file is while it is open."""

    size: int
    etag: str
    modified_s: int


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What will be sent: bytes [start, end) of a file."""

    status: int
    headers: dict[str, str]
    whole: bytes = b""
    """All of them, when they are few."""
    file: BinaryIO | None = None
    """Open when they are more."""
    start: int = 0
    end: int = 0

    def response(self) -> Response:
        """The answer as a response, which closes the file."""
        if self.file is None:
            return Response(self.whole, self.status, self.headers)
        return _Streamed(self.file, self.start, self.end, self.status, self.headers)


def answer_with_file(path: Path, asked: Headers, type_headers: Mapping[str, str] | None = None) -> FileAnswer:
    """Answer with the file, a part of it (206), or 304; blocks on the disk. Raises ApiError 404, 412, 416.

    asked: the headers of the request. type_headers: what is said of its type, for a file that is to be trusted; without
    them it is sent as one that somebody has uploaded.
    """
    try:
        if not path.is_file():  # a pipe would block
            raise FileNotFoundError(path)
        file = path.open("rb", buffering=0)
    except (FileNotFoundError, PermissionError):
        raise ApiError(404, "not_found", f"There is no file {path.name!r}") from None
    with ExitStack() as stack:
        stack.callback(file.close)
        answer = _answer(file, headers_of_uploaded(path.name, asked) if type_headers is None else type_headers, asked)
        if answer.file is not None:
            stack.pop_all()
        return answer


def _answer(file: io.FileIO, type_headers: Mapping[str, str], asked: Headers) -> FileAnswer:
    status = os.fstat(file.fileno())
    state = _State(status.st_size, f'"{status.st_mtime_ns:x}-{status.st_size:x}"', int(status.st_mtime))
    headers = {
        **type_headers,
        "Accept-Ranges": "bytes",
        "ETag": state.etag,
        "Last-Modified": formatdate(state.modified_s, usegmt=True),
    }
    if _is_another(asked, state):
        raise ApiError(412, "precondition_failed", "The file is not the one that If-Match or If-Unmodified-Since means")
    if _is_unchanged(asked, state):
        return FileAnswer(304, headers)
    start, end = _range(asked, state)
    code = 200
    if (start, end) != (0, state.size):
        code, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{state.size}"
    if end - start <= _SMALL_BYTES:
        whole = os.pread(file.fileno(), end - start, start)
        if len(whole) == end - start:
            return FileAnswer(code, headers, whole)
    return FileAnswer(code, headers, file=file, start=start, end=end)


class _Streamed(Response):
    """Sends bytes [start, end) of an open file and closes it."""

    def __init__(self, file: BinaryIO, start: int, end: int, status: int, headers: dict[str, str]) -> None:
        self.status_code = status
        self.background = None
        self.body = b""
        self._file = file
        self._start = start
        self._end = end
        self.init_headers({**headers, "Content-Length": str(end - start)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope.get(IS_HEAD):
                await Response(b"", self.status_code, self.headers)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if EXTENSION in scope.get("extensions", ()) and not self._is_compressed(scope):
                await self._send_parts(send)
            else:
                await self._send_pieces(receive, send)
        finally:
            self._file.close()

    def _is_compressed(self, scope: Scope) -> bool:
        return scope.get(WILL_COMPRESS, False) and is_compressible(self.status_code, self.raw_headers)

    async def _send_parts(self, send: Send) -> None:
        """Have the system send the file."""
        for offset in range(self._start, self._end, _PART_BYTES):
            count = min(self._end - offset, _PART_BYTES)
            more = offset + count < self._end
            message = {"type": EXTENSION, "file": self._file.fileno(), "offset": offset, "count": count}
            await send({**message, "more_body": more})

    async def _send_pieces(self, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_disconnected(receive))
        try:
            position = self._start
            for number in count(1):
                piece = await _read(self._file.fileno(), min(self._end - position, _PIECE_BYTES), position)
                position += len(piece)
                more = position < self._end and bool(piece) and not gone.done()
                await send({"type": "http.response.body", "body": piece, "more_body": more})
                if not more:
                    return
                if number % _PIECES_IN_A_ROW == 0:
                    await asyncio.sleep(0)
        finally:
            gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(descriptor: int, size: int, position: int) -> bytes | bytearray:
    """Bytes of a file: at once what the system has in memory, otherwise by a thread."""
    if _READ_NOW:
        buffer = bytearray(size)
        try:
            done = os.preadv(descriptor, [buffer], position, _READ_NOW)
            if done:
                del buffer[done:]
                return buffer
        except OSError:  # not in memory, or a file system that cannot tell
            pass
    return await asyncio.to_thread(os.pread, descriptor, size, position)


_READ_NOW: int = getattr(os, "RWF_NOWAIT", 0)


def _is_another(headers: Headers, state: _State) -> bool:
    """Whether the client asks only for a state that this is not."""
    known = headers.get("if-match")
    if known is not None:
        return not any(tag.strip() in (state.etag, "*") for tag in known.split(","))
    since = _date(headers.get("if-unmodified-since"))
    return since is not None and state.modified_s > since


def _is_unchanged(headers: Headers, state: _State) -> bool:
    """Whether the client has this state of the file already."""
    if "if-none-match" in headers:
        return is_known(headers, state.etag)
    since = _date(headers.get("if-modified-since"))
    return since is not None and state.modified_s <= since


def _range(headers: Headers, state: _State) -> tuple[int, int]:
    """The bytes [start, end) that are asked for: all of them without a range, or with several ones."""
    asked = headers.get("range")
    if asked is None or "," in asked or not _range_applies(headers.get("if-range"), state):
        return 0, state.size
    match = _RANGE.match(asked.strip())
    first, last = match.groups() if match else ("", "")
    if first:
        start, end = int(first), min(int(last) + 1, state.size) if last else state.size
    elif last:
        start, end = max(0, state.size - int(last)), state.size
    else:
        start = end = 0
    if start >= end:
        raise ApiError(
            416,
            "range_not_satisfiable",
            f"The range {asked[:100]!r} is not within the {state.size} bytes of the file",
            headers={"Content-Range": f"bytes */{state.size}"},
        )
    return start, end


def _range_applies(condition: str | None, state: _State) -> bool:
    if condition is None or condition.strip() == state.etag:
        return True
    return _date(condition) == state.modified_s


def _date(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def is_active(media_type: str) -> bool:
    """Whether a browser could run a file of this type."""
    return media_type in _ACTIVE_TYPES or media_type.endswith(("/xml", "+xml"))


def headers_of_uploaded(name: str, asked: Headers) -> dict[str, str]:
    """Content type and disposition; types that run in a page are sent as downloads, but SVG may fill an `<img>`."""
    media_type = content_type(name)
    headers = {"X-Content-Type-Options": "nosniff"}
    if not is_active(media_type):
        return {**headers, "Content-Type": media_type, "Content-Disposition": disposition(name)}
    headers |= {"Vary": "Sec-Fetch-Dest", "Cache-Control": "no-store", "Content-Security-Policy": _SANDBOX}
    if media_type == "image/svg+xml" and asked.get("sec-fetch-dest") == "image":
        return {**headers, "Content-Type": media_type, "Content-Disposition": disposition(name)}
    return {
        **headers,
        "Content-Type": "application/octet-stream",
        "Content-Disposition": disposition(name, "attachment; "),
    }


def disposition(name: str, kind: str = "") -> str:
    """The value of Content-Disposition: the bare file name, as ComfyUI sends it, also encoded where it is not ASCII."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    if name.isascii():
        return f'{kind}filename="{quoted}"'
    return f"{kind}filename=\"{quoted.encode().decode('latin-1')}\"; filename*=UTF-8''{quote(name, safe='')}"
