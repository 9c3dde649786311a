"""The workflow inside an uploaded file: JSON, a picture, a video or a sound that carries the one that made it."""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from starlette.datastructures import UploadFile
from starlette.requests import Request

from inglenook.api.deps import Services
from inglenook.api.errors import ApiError
from inglenook.api.forms import parsed_form
from inglenook.api.pictures import in_picture_thread
from inglenook.api.workflow_files import parse_document, workflow_body
from inglenook.errors import MediaError
from inglenook.media.kinds import media_kind
from inglenook.media.metadata import metadata_of
from inglenook.media.signatures import HEAD_BYTES, extension, extension_of
from inglenook.workflows import WorkflowFormatError, is_bare_graph, is_ui_format

_TO_KEEP = ("workflow", "prompt")
"""What the editor can show again comes first: it says more than the graph that was run."""
_TO_RUN = ("prompt", "workflow")
"""The graph that was run comes first: it makes the same again."""


async def workflow_given(server: Services, request: Request) -> Any:
    """The JSON body of a request, or the workflow in a body or a form that is a file. Raises ApiError 400, 413, 503."""
    if is_form(request):
        async with parsed_form(request) as form:
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            if len(files) != 1:
                raise ApiError(400, "invalid_form", f"The form has {len(files)} files; send one, the workflow")
            return await workflow_in(server, files[0].file, to_run=True)
    data = await request.body()
    if _kind(extension(data[:HEAD_BYTES])) in _PLAYED:
        return await workflow_in(server, opened_bytes(data), to_run=True)
    return await workflow_body(request, server.settings.max_json_depth)


def is_form(request: Request) -> bool:
    """Whether the body says that it is a form with files."""
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def unwrapped_field(body: Any) -> Any:
    """The workflow in `{"workflow": ...}`, or the body itself when it is the workflow."""
    if isinstance(body, dict) and "workflow" in body and not (is_bare_graph(body) or is_ui_format(body)):
        return body["workflow"]
    return body


_PLAYED = ("video", "audio")


def _kind(suffix: str | None) -> str | None:
    return media_kind(f"x{suffix}") if suffix else None


async def workflow_in(server: Services, file: BinaryIO, *, to_run: bool = False) -> Any:
    """The document in an uploaded file; of one that carries two, that of the editor unless it is `to_run`.

    Raises ApiError 400, 413, 503.
    """
    suffix = await asyncio.to_thread(extension_of, file)
    kind = _kind(suffix)
    if kind is None:
        return await asyncio.to_thread(_parse, file, server.settings.max_json_depth)
    try:
        if kind in _PLAYED:
            texts = await _tags(server, file, suffix or "")
        else:
            texts = await in_picture_thread(lambda: metadata_of(file.read()))
    except MediaError as error:
        raise _no_workflow(str(error)) from error
    keys = _TO_RUN if to_run else _TO_KEEP
    return await asyncio.to_thread(_carried, texts, keys, server.settings.max_json_depth)


def _parse(file: BinaryIO, max_depth: int) -> Any:
    try:
        return parse_document(file.read(), max_depth)
    except WorkflowFormatError as error:
        raise _no_workflow(str(error)) from error


async def _tags(server: Services, file: BinaryIO, suffix: str) -> Mapping[str, str]:
    """The tags of a video or sound, which the process that reads media takes from a file with a name."""
    with tempfile.TemporaryDirectory(dir=server.settings.temp_folder if _exists(server) else None) as folder:
        path = Path(folder) / f"upload{suffix}"
        await asyncio.to_thread(_copy, file, path)
        return await server.media_reader.tags(path)


def _exists(server: Services) -> bool:
    return server.settings.temp_folder.is_dir()


def _copy(file: BinaryIO, path: Path) -> None:
    with path.open("wb") as target:
        shutil.copyfileobj(file, target, 1 << 20)


def _carried(texts: Mapping[str, str], keys: Sequence[str], max_depth: int) -> Any:
    for key in keys:
        if key not in texts:
            continue
        try:
            return parse_document(texts[key].encode("utf-8", "replace"), max_depth)
        except (ApiError, WorkflowFormatError):
            continue
    found = f"it carries only {', '.join(sorted(texts)[:5])}" if texts else "it carries no metadata"
    raise _no_workflow(found[:300])


def _no_workflow(reason: str) -> ApiError:
    return ApiError(400, "invalid_workflow", "The file has no workflow in it", reason)


def opened_bytes(data: bytes) -> BinaryIO:
    """Bytes as a file."""
    return io.BytesIO(data)
