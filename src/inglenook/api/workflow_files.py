"""Bodies that are files: a workflow in any encoding, or a picture that carries the workflow that made it."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request

from inglenook.api.bodies import json_body, parse_json
from inglenook.api.errors import ApiError
from inglenook.workflows import WorkflowFormatError, as_utf8, read_file, without_constants

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"RIFF", b"\xff\xd8\xff")


async def workflow_body(request: Request, max_depth: int) -> Any:
    """The JSON body of a request, or the workflow in a body that is a file. Raises ApiError as `json_body` does."""
    try:
        return await json_body(request, max_depth)
    except ApiError as error:
        data = await request.body()
        if error.kind != "invalid_json" or not _is_file(data):
            raise
        return await asyncio.to_thread(_read, data, max_depth)


def _is_file(data: bytes) -> bool:
    """Whether a body that is no JSON may be a picture, or JSON in another encoding than UTF-8."""
    if data.startswith(_PICTURES) or data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return True
    if data.lstrip()[:1] not in (b"{", b'"'):
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def _read(data: bytes, max_depth: int) -> Any:
    try:
        if data.startswith(_PICTURES):
            return read_file(data, lambda text: parse_document(text, max_depth))
        return parse_json(as_utf8(data), max_depth)
    except WorkflowFormatError as error:
        raise ApiError(400, "invalid_json", "The body is a file without a workflow", str(error)) from error


def parse_document(data: bytes, max_depth: int) -> Any:
    """A workflow file, or JSON text from inside one, under the limits of a body. Raises ApiError as `parse_json`."""
    if data.startswith(_PICTURES):
        return _read(data, max_depth)
    text = as_utf8(data)
    try:
        return parse_json(text, max_depth)
    except ApiError as error:
        cleaned = without_constants(text) if error.kind == "invalid_json" else None
        if cleaned is None:
            raise
        return parse_json(cleaned, max_depth)
