"""The metadata in the header of a safetensors file, read without its tensors. Format: safetensors README."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import orjson

from inglenook.errors import MediaError

_MAX_HEADER_BYTES = 1 << 20


def metadata(path: Path, max_bytes: int = _MAX_HEADER_BYTES) -> dict[str, Any] | None:
    """The object `__metadata__`, None if there is none.

    Raises MediaError when the file is no safetensors file or its header is longer than `max_bytes`.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= max_bytes:
            raise MediaError(f"{path.name} has no safetensors header of at most {max_bytes >> 20} MiB")
        header = file.read(length)
    try:
        found = orjson.loads(header)
    except orjson.JSONDecodeError:
        raise MediaError(f"{path.name} has a damaged safetensors header") from None
    if not isinstance(found, dict):
        raise MediaError(f"{path.name} has a damaged safetensors header")
    values = found.get("__metadata__")
    return values if isinstance(values, dict) and values else None
