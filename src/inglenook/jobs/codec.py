"""How values become bytes in the database: JSON, and zlib where that saves something."""

from __future__ import annotations

import json
import zlib
from typing import Any

import orjson

COMPRESS_ABOVE_BYTES = 4096
"""Smaller bodies stay as they are: they fit into a page, and zlib would cost more CPU than the write."""

_ZLIB_HEADER = 0x78
"""First byte of a zlib stream with a 32 KiB window (RFC 1950); no JSON text begins with it (an `x`)."""


_BY_STANDARD_LIBRARY = b" "
"""Written before a document that orjson cannot read back unchanged; JSON may begin with white space."""


def to_json(value: Any) -> bytes:
    """JSON of plain data; also of what orjson refuses (integers beyond 64 bits, lone surrogates).

    Raises TypeError, ValueError or RecursionError for what is not JSON at all.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return _BY_STANDARD_LIBRARY + json.dumps(value, separators=(",", ":")).encode()


def from_json(document: bytes) -> Any:
    """What `to_json` was given, with tuples as lists and keys as strings."""
    return json.loads(document) if document[:1] == _BY_STANDARD_LIBRARY else orjson.loads(document)


def pack(document: bytes) -> bytes:
    """A JSON document as it is stored: compressed when it is large and that makes it smaller."""
    if len(document) <= COMPRESS_ABOVE_BYTES:
        return document
    packed = zlib.compress(document, level=1)
    return packed if len(packed) < len(document) else document


def unpack(stored: bytes) -> bytes:
    return zlib.decompress(stored) if stored and stored[0] == _ZLIB_HEADER else bytes(stored)
