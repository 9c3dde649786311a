"""A file as an HTTP answer: conditional requests, ranges, and types that could run in a browser made harmless.

RFC 9110 sections 13 and 14. Files are sent in pieces of a megabyte.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inglenook.api.errors import ApiError
from inglenook.media.kinds import content_type

_PIECE_BYTES = 1024 * 1024
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
class _Opened:
    file: BinaryIO
    size: int
    etag: str
    modified_s: int


async def file_response(request: Request, path: Path) -> Response:
    """Answer with the file, a part of it (206), or 304. Raises ApiError 404, 416."""
    try:
        opened = await asyncio.to_thread(_open, path)
    except (FileNotFoundError, PermissionError):
        raise ApiError(404, "not_found", f"There is no file {path.name!r}") from None
    headers = {
        **_type_headers(path.name, request.headers),
        "Accept-Ranges": "bytes",
        "ETag": opened.etag,
        "Last-Modified": formatdate(opened.modified_s, usegmt=True),
    }
    if _is_unchanged(request.headers, opened):
        opened.file.close()
        return Response(status_code=304, headers=headers)
    try:
        start, end = _range(request.headers, opened)
    except ApiError:
        opened.file.close()
        raise
    status = 200
    if (start, end) != (0, opened.size):
        status, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{opened.size}"
    return _Streamed(opened.file, start, end, status, headers)


def _open(path: Path) -> _Opened:
    if not path.is_file():  # a pipe would block
        raise FileNotFoundError(path)
    file = path.open("rb")
    status = os.fstat(file.fileno())
    return _Opened(file, status.st_size, f'"{status.st_mtime_ns:x}-{status.st_size:x}"', int(status.st_mtime))


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
            left = self._end - self._start
            piece = await asyncio.to_thread(self._read, self._start, min(left, _PIECE_BYTES))
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while True:
                left -= len(piece)
                more = left > 0 and bool(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": more})
                if not more:
                    return
                piece = await asyncio.to_thread(self._file.read, min(left, _PIECE_BYTES))
        finally:
            self._file.close()

    def _read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        return self._file.read(count)


def _is_unchanged(headers: Headers, opened: _Opened) -> bool:
    """Whether the client has this state of the file already."""
    known = headers.get("if-none-match")
    if known is not None:
        return any(tag.strip().removeprefix("W/") in (opened.etag, "*") for tag in known.split(","))
    since = _date(headers.get("if-modified-since"))
    return since is not None and opened.modified_s <= since


def _range(headers: Headers, opened: _Opened) -> tuple[int, int]:
    """The bytes [start, end) that are asked for: all of them without a range, or with several ones."""
    asked = headers.get("range")
    if asked is None or "," in asked or not _range_applies(headers.get("if-range"), opened):
        return 0, opened.size
    match = _RANGE.match(asked.strip())
    first, last = match.groups() if match else ("", "")
    if first:
        start, end = int(first), min(int(last) + 1, opened.size) if last else opened.size
    elif last:
        start, end = max(0, opened.size - int(last)), opened.size
    else:
        start = end = 0
    if start >= end:
        raise ApiError(
            416,
            "range_not_satisfiable",
            f"The range {asked[:100]!r} is not within the {opened.size} bytes of the file",
            headers={"Content-Range": f"bytes */{opened.size}"},
        )
    return start, end


def _range_applies(condition: str | None, opened: _Opened) -> bool:
    if condition is None or condition.strip() == opened.etag:
        return True
    return _date(condition) == opened.modified_s


def _date(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def _type_headers(name: str, asked: Headers) -> dict[str, str]:
    """Content type and disposition; types that run in a page are sent as downloads, but SVG may fill an `<img>`."""
    media_type = content_type(name)
    headers = {"X-Content-Type-Options": "nosniff"}
    if media_type not in _ACTIVE_TYPES and not media_type.endswith(("/xml", "+xml")):
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
