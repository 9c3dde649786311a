"""Request bodies, parsed as JSON whatever their content type says. `boundary.py` limits their size."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from inglenook.api.errors import ApiError


def parse_json(body: bytes, max_depth: int) -> Any:
    """Return the JSON value in a body. Raises ApiError 400 when there is none or it nests too deep."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "invalid_json", "The body is not valid JSON", str(error)) from error
    if exceeds_depth(value, max_depth):
        raise ApiError(400, "invalid_json", f"The body nests deeper than {max_depth} levels")
    return value


def exceeds_depth(value: Any, limit: int) -> bool:
    """Whether lists and objects nest deeper than `limit`."""
    level = [value]
    for _ in range(limit):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += [child for child in item.values() if isinstance(child, (dict, list))]
            elif isinstance(item, list):
                inner += [child for child in item if isinstance(child, (dict, list))]
        if not inner:
            return False
        level = inner
    return True


async def json_body(request: Request, max_depth: int) -> Any:
    """Return the JSON body of a request."""
    return parse_json(await request.body(), max_depth)


async def object_body(request: Request, max_depth: int, *, lenient: bool = False) -> dict[str, Any]:
    """Return the JSON object in a body; an empty one counts as `{}`, and so does any other when `lenient`.

    Raises ApiError 400 when the body is something else.
    """
    body = await request.body()
    if not body.strip():
        return {}
    try:
        value = parse_json(body, max_depth)
    except ApiError:
        if lenient:
            return {}
        raise
    if isinstance(value, dict):
        return value
    if lenient:
        return {}
    raise ApiError(400, "invalid_json", f"The body must be a JSON object, not {type(value).__name__}")
