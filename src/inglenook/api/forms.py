"""Forms with files, as browsers send them. `boundary.py` limits their size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from inglenook.api.errors import ApiError

_HELD_BYTES = 16 << 20
"""An upload up to this size is held in memory until it is written; a larger one goes through a temporary file."""
_MOST_FILES = 20
_MOST_FIELDS = 50


@asynccontextmanager
async def parsed_form(request: Request) -> AsyncIterator[FormData]:
    """The form in the body, with its temporary files as long as the block lasts. Raises ApiError 400, 413."""
    parser = MultiPartParser(request.headers, request.stream(), max_files=_MOST_FILES, max_fields=_MOST_FIELDS)
    parser.spool_max_size = _HELD_BYTES
    try:
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise MultiPartException("The content type is not multipart/form-data")
        form = await parser.parse()
    except MultiPartException as error:
        raise ApiError(400, "invalid_form", "The body is not a complete form", error.message) from None
    except ClientDisconnect:
        raise ApiError(400, "incomplete_body", "The client went away") from None
    try:
        yield form
    finally:
        await form.close()


def file_field(form: FormData, field: str) -> UploadFile:
    """The file in a field. Raises ApiError 400 when there is none."""
    upload = form.get(field)
    if not isinstance(upload, UploadFile):
        raise ApiError(400, "no_image", f"The form has no file in the field {field!r}")
    return upload


def text_field(form: FormData, field: str) -> str:
    """The text in a field, empty without one. Raises ApiError 400 for a file."""
    value = form.get(field, "")
    if isinstance(value, UploadFile):
        raise ApiError(400, "invalid_form", f"The field {field!r} must be text, not a file")
    return value
