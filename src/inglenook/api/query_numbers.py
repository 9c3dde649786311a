"""Whole numbers of a query."""

from __future__ import annotations

import re

from starlette.datastructures import QueryParams

from inglenook.api.errors import ApiError

_HUGE = 1 << 31
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


def any_whole_number(query: QueryParams, name: str) -> int | None:
    """The number that a query has under a name, None without one; a huge one as 2^31. Raises ApiError 400."""
    text = query.get(name)
    if text is None or text == "":
        return None
    try:
        return max(min(int(text), _HUGE), -_HUGE)
    except ValueError as error:
        raise ApiError(400, "invalid_query", f"{name} must be an integer", text[:100]) from error
