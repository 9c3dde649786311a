"""Reads JSON as servers write it: ComfyUI's may hold NaN and Infinity, lone surrogates and endless numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from inglenook.engine.values import well_formed

_LARGEST_INTEGER = 1 << 63


def parse_json(data: bytes | str) -> Any:
    """The value of a JSON text; numbers that JSON does not know become None, text is valid Unicode.

    Raises ValueError.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        try:
            return _plain(json.loads(data))
        except (ValueError, RecursionError):
            raise ValueError(str(error)) from None


def _plain(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case bool() | None:
            return value
        case int():
            return value if abs(value) < _LARGEST_INTEGER else None
        case str():
            return well_formed(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {well_formed(key): _plain(item) for key, item in value.items()}
    return value
