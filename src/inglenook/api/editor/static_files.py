"""Files of a page as HTTP answers: right types, ComfyUI's cache rules, and texts as gzip, packed once."""

from __future__ import annotations

import gzip
import os
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from starlette.datastructures import Headers
from starlette.responses import Response

from inglenook.api.cache_headers import cache_control
from inglenook.api.comfy.file_response import answer_with_file
from inglenook.api.compression import accepts_gzip
from inglenook.api.etags import is_known
from inglenook.errors import UnsafePath
from inglenook.media import paths
from inglenook.media.kinds import content_type

_TEXTS = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".htm": "text/html",
    ".json": "application/json",
    ".map": "application/json",
    ".txt": "text/plain",
    ".md": "text/markdown",
}
_OTHERS = {
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".wasm": "application/wasm",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".eot": "application/vnd.ms-fontobject",
}
"""Types of files that make up a page; a browser that may not guess (nosniff) needs them right."""
_PACKABLE = frozenset((*_TEXTS, ".svg"))
_PACKED_FROM_BYTES = 1024
_PACKED_LIMIT_BYTES = 48 << 20
"""Memory for packed texts; those of the editor are about 10 MB."""
_LEVEL = 6

START_PAGE = {"Cache-Control": "no-store, must-revalidate", "Pragma": "no-cache", "Expires": "0"}
"""Headers of the page that names all the others."""


def find(folder: Path, path: str, *, is_package: bool = False) -> Path | None:
    """The file of that name below `folder`, if there is one that is not hidden.

    Links are followed only where they stay below the folder; in a package that somebody installed as links, anywhere.
    """
    try:
        if any(part.startswith(".") for part in paths.parts(path)):
            return None
        found = (paths.join if is_package else paths.resolve)(folder, path)
        return found if found.is_file() else None
    except (UnsafePath, OSError):
        return None


def page_type(name: str) -> str:
    """The content type of a file of a page."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - a name, not a path
    if suffix in _TEXTS:
        return f"{_TEXTS[suffix]}; charset=utf-8"
    return _OTHERS.get(suffix) or content_type(name)


class StaticFiles:
    """Answers with files, keeping the packed form of texts. For threads."""

    def __init__(self) -> None:
        self._packed: OrderedDict[tuple[Path, int, int], bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def answer(self, path: Path, asked: Headers, headers: dict[str, str] | None = None) -> Response:
        """The file, or 304; blocks on the disk. Raises ApiError 404 when it has gone, 416 for an impossible range.

        headers: what stands in the answer instead of the usual rule for caches.
        """
        named = {"Content-Type": page_type(path.name), "X-Content-Type-Options": "nosniff"}
        rule = cache_control(path.name, 200)
        if headers is not None:
            named |= headers
        elif rule is not None:
            named["Cache-Control"] = rule
        if os.path.splitext(path.name)[1].lower() in _PACKABLE:  # noqa: PTH122
            named["Vary"] = "Accept-Encoding"
            if "range" not in asked and accepts_gzip(asked.get("accept-encoding", "").encode("latin-1")):
                packed = self._answer_packed(path, asked, named)
                if packed is not None:
                    return packed
        return answer_with_file(path, asked, named).response()

    def _answer_packed(self, path: Path, asked: Headers, named: dict[str, str]) -> Response | None:
        try:
            status = path.stat()
            if status.st_size < _PACKED_FROM_BYTES:
                return None
            tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}-gz"'
            named = {**named, "ETag": tag}
            if is_known(asked, tag):
                return Response(status_code=304, headers=named)
            body = self._pack(path, status)
        except OSError:  # the plain answer says what is wrong
            return None
        return Response(body, headers={**named, "Content-Encoding": "gzip"})

    def _pack(self, path: Path, status: os.stat_result) -> bytes:
        key = (path, status.st_mtime_ns, status.st_size)
        with self._lock:
            if key in self._packed:
                self._packed.move_to_end(key)
                return self._packed[key]
        packed = gzip.compress(path.read_bytes(), _LEVEL, mtime=0)
        with self._lock:
            if key not in self._packed:
                self._packed[key] = packed
                self._size += len(packed)
            while self._size > _PACKED_LIMIT_BYTES:
                _, dropped = self._packed.popitem(last=False)
                self._size -= len(dropped)
        return packed
