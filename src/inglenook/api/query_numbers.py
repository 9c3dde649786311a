"""Whole numbers of a query, within bounds."""

from __future__ import annotations

import re

from starlette.datastructures import QueryParams

from inglenook.api.errors import ApiError

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


def whole_number(query: QueryParams, name: str, default: int, *, least: int, most: int) -> int:
    """The number that a query has under a name, `default` without one. Raises ApiError 400."""
    text = query.get(name)
    if text is None or text == "":
        return default
    value = int(text) if _NUMBER.fullmatch(text) else None
    if value is None or not least <= value <= most:
        raise ApiError(400, "invalid_query", f"{name} must be a whole number from {least} to {most}", text[:100])
    return value
