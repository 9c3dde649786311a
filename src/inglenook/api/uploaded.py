"""One file out of a form or a JSON body, for addresses that do not name it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from inglenook.api.bodies import object_body
from inglenook.api.errors import ApiError
from inglenook.api.forms import parsed_form
from inglenook.media import uploads
from inglenook.media.uploads import Pieces

_PATHS = ("path", "file", "filename")
_CONTENTS = ("content", "data")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """What a client sent."""

    path: str | None
    """Where it wants the file, with folders."""
    content: Pieces
    overwrite: bool | None
    """None: it does not say."""


@asynccontextmanager
async def uploaded_file(request: Request, max_json_depth: int) -> AsyncIterator[UploadedFile]:
    """The first file of a form, or `content` of a JSON object, as long as the block lasts. Raises ApiError 400, 413."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        yield _from_json(await object_body(request, max_json_depth))
        return
    async with parsed_form(request) as form:
        yield _from_form(form)


def _from_form(form: FormData) -> UploadedFile:
    upload = next((value for value in form.values() if isinstance(value, UploadFile)), None)
    if upload is None:
        raise ApiError(400, "no_file", "The form has no file")
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    path = next((fields[name] for name in _PATHS if fields.get(name)), None)
    if path is None:
        folder = fields.get("dir") or fields.get("subfolder") or ""
        path = f"{folder}/{uploads.file_name(upload.filename or '')}" if folder else upload.filename or None
    overwrite = fields["overwrite"].lower() in ("true", "1") if fields.get("overwrite") else None
    return UploadedFile(path, Pieces(upload.file), overwrite)


def _from_json(body: dict[str, Any]) -> UploadedFile:
    path = next((body[name] for name in _PATHS if name in body), None)
    key = next((name for name in _CONTENTS if name in body), None)
    overwrite = body.get("overwrite")
    if not isinstance(path, str) or key is None or not isinstance(overwrite, bool | None):
        text = 'Send {"path": text, "content": text or JSON, "overwrite"?: true or false}, or a form with a file'
        raise ApiError(400, "invalid_upload", "The body does not say what to store where", text)
    value = body[key]
    data = value.encode() if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2)
    return UploadedFile(path, Pieces(io.BytesIO(data)), overwrite)
