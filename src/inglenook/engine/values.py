"""Values in messages: short, safe to encode as JSON, whatever a client or a node put there."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any

from inglenook.errors import NodeError

TEXT_LIMIT = 200
"""Longest value that an error repeats, in characters."""
_ITEM_LIMIT = 100

_short = reprlib.Repr()
_short.maxlevel = 4
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = 10
_short.maxstring = _short.maxother = 100


def shorten(value: Any, limit: int = TEXT_LIMIT) -> str:
    """`str(value)`, cut to about `limit` characters, at a cost that does not grow with the value."""
    if isinstance(value, str):
        text = value
    elif value is None or isinstance(value, (bool, float)):
        text = str(value)
    elif isinstance(value, int):
        text = str(value) if value.bit_length() <= 1024 else f"<an integer of {value.bit_length()} bits>"
    elif isinstance(value, (list, tuple, dict, set, frozenset)):
        text = _short.repr(value)
    else:
        text = describe(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def echo(value: Any) -> Any:
    """`value` for an error's `received_value`: as it is when it is small and JSON can hold it, else a short text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return shorten(value)
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else shorten(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (list, dict)) and _is_small(value):
        return value
    return shorten(value)


def _is_small(value: Any) -> bool:
    """Whether a JSON value has few items, all of them short."""
    level, items = [value], 0
    while level:
        inner: list[Any] = []
        for container in level:
            items += len(container)
            if items > _ITEM_LIMIT:
                return False
            if isinstance(container, dict):
                if any(not isinstance(key, str) or len(key) > TEXT_LIMIT for key in container):
                    return False
                container = container.values()
            for item in container:
                if isinstance(item, (list, dict)):
                    inner.append(item)
                elif echo(item) is not item:
                    return False
        level = inner
    return True


def describe(value: Any) -> str:
    """An object in a few words: type, shape and dtype of an array, else the start of its `str()`."""
    return well_formed(_describe(value))


def _describe(value: Any) -> str:
    name = type(value).__qualname__
    shape = getattr(value, "shape", None)
    if shape is not None and hasattr(value, "dtype"):
        try:
            return f"{name}(shape={list(shape)}, dtype={value.dtype})"
        except Exception:
            return f"<{name}>"
    try:
        text = str(value)
    except Exception:
        return f"<{name}>"
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}..."


def well_formed(text: str) -> str:
    """`text` as UTF-8 can hold it: surrogate pairs as the character they stand for, lone ones as U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def plain(value: Any, depth: int = 50) -> Any:
    """`value` as JSON can hold it: tuples and sets as lists, other libraries' numbers as numbers, the rest in words.

    Raises NodeError for bytes: nothing in JSON stands for them.
    """
    kind = type(value)
    if kind is str:
        return well_formed(value)
    if kind is bool or value is None:
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**64 else shorten(value)
    if kind is float:
        return value if math.isfinite(value) else None
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise NodeError(f"{len(value)} bytes are no JSON; save them as a file, or send text")
    if depth == 0:
        return describe(value)
    if isinstance(value, Mapping):
        return {well_formed(str(key)): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth - 1) for item in value]
    if isinstance(value, (str, int, float)):  # subclasses: numpy's float64, enums
        return plain(
            str.__str__(value) if isinstance(value, str) else int(value) if isinstance(value, int) else float(value)
        )
    number = getattr(value, "item", None)
    if number is not None and getattr(value, "ndim", None) == 0:  # numbers of numpy and torch
        return plain(number(), 0)
    return describe(value)


def summary(value: Any, depth: int = 3) -> Any:
    """An input of a failed node for a message: scalars as they are, containers by their first items, objects in words.

    Never the contents of a tensor, and bounded whatever the value.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        if isinstance(value, str):
            return well_formed(value if len(value) <= 1000 else f"{value[:1000]}... ({len(value)} characters)")
        return echo(value)
    if isinstance(value, (list, tuple, dict)):
        if depth == 0:
            return f"<{type(value).__qualname__} of {len(value)}>"
        return well_formed(_container(value, depth))
    return describe(value)


def _container(value: Any, depth: int) -> str:
    more = ", ..." if len(value) > 5 else ""
    if isinstance(value, dict):
        pairs = [f"{shorten(key, 40)!r}: {summary(value[key], depth - 1)}" for key in list(value)[:5]]
        return "{" + ", ".join(pairs) + more + "}"
    items = ", ".join(str(summary(item, depth - 1)) for item in value[:5])
    return f"({items}{more})" if isinstance(value, tuple) else f"[{items}{more}]"
