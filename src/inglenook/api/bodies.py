"""Request bodies, parsed as JSON whatever their content type says. `boundary.py` limits their size.

A body of a few megabytes can hold millions of lists, each an object that the garbage collector follows: 18 MB of `[],`
took seconds. So the brackets and commas are counted first, and many of them are parsed in a thread, with no collection
meanwhile (2 million: 0.05 s without the collector, 0.5 s with it).
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import Request

from inglenook.api.collection import collection_paused
from inglenook.api.errors import ApiError

MAX_STRUCTURE = 2_000_000
"""Most brackets that open and commas, those in strings too; 20,000 nodes with their workflow have about half of it."""
_LARGE_BYTES = 1 << 20
_LARGE_STRUCTURE = 50_000


def parse_json(body: bytes, max_depth: int) -> Any:
    """Return the JSON value in a body. Raises ApiError 400 when there is none or it nests too deep, 413 when it has too
    many lists, objects and values."""
    opened, structure = _count(body)
    if structure > MAX_STRUCTURE:
        raise ApiError(413, "too_large", f"The body has more than {MAX_STRUCTURE} lists, objects and values")
    try:
        if structure > _LARGE_STRUCTURE:
            with collection_paused():
                value = orjson.loads(body)
        else:
            value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "invalid_json", "The body is not valid JSON", str(error)) from error
    if opened > max_depth and exceeds_depth(value, max_depth):
        raise ApiError(400, "invalid_json", f"The body nests deeper than {max_depth} levels")
    return value


def _count(body: bytes) -> tuple[int, int]:
    """How many brackets open, and how many of these and commas there are; counting ends soon after MAX_STRUCTURE.

    By slices, so that other threads run in between.
    """
    opened = structure = 0
    for start in range(0, len(body), _LARGE_BYTES):
        part = body[start : start + _LARGE_BYTES]
        opened_here = part.count(b"[") + part.count(b"{")
        opened += opened_here
        structure += opened_here + part.count(b",")
        if structure > MAX_STRUCTURE:
            break
    return opened, structure


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
    """Return the JSON body of a request. Raises as `parse_json` does."""
    return await parse_json_anywhere(await request.body(), max_depth)


async def parse_json_anywhere(body: bytes, max_depth: int) -> Any:
    """`parse_json`, of much in a thread."""
    if len(body) > _LARGE_BYTES or _count(body)[1] > _LARGE_STRUCTURE:
        return await asyncio.to_thread(parse_json, body, max_depth)
    return parse_json(body, max_depth)


async def object_body(request: Request, max_depth: int, *, lenient: bool = False) -> dict[str, Any]:
    """Return the JSON object in a body; an empty one counts as `{}`, and so does any other when `lenient`.

    Raises ApiError as `parse_json` does, and 400 when the body is something else.
    """
    body = await request.body()
    if not body.strip():
        return {}
    try:
        value = await parse_json_anywhere(body, max_depth)
    except ApiError:
        if lenient:
            return {}
        raise
    if isinstance(value, dict):
        return value
    if lenient:
        return {}
    raise ApiError(400, "invalid_json", f"The body must be a JSON object, not {type(value).__name__}")


def refuse_unknown_fields(body: dict[str, Any], *known: str) -> None:
    """Raise ApiError 400 for a field that is none of these: where it is misspelt, what it asks for would be lost."""
    unknown = sorted(body.keys() - set(known))
    if unknown:
        expected = f"The fields are {', '.join(known)}" if known else "The body has no fields"
        raise ApiError(400, "unknown_field", f"There is no field {unknown[0][:100]!r}", expected)


def id_list(value: Any) -> list[str]:
    """Return the ids in a list, numbers as text. Raises ApiError 400 when it is none."""
    if not isinstance(value, list) or any(isinstance(item, (dict, list)) for item in value):
        raise ApiError(400, "invalid_request", "delete must be a list of ids", orjson.dumps(value).decode()[:200])
    return [str(item) for item in value]
