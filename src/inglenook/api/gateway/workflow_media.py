"""The workflow inside an uploaded file: JSON, a picture, a video or a sound that carries the one that made it."""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from inglenook.api.deps import Services
from inglenook.api.errors import ApiError
from inglenook.api.pictures import in_picture_thread
from inglenook.api.workflow_files import parse_document
from inglenook.errors import MediaError
from inglenook.media.kinds import media_kind
from inglenook.media.metadata import metadata_of
from inglenook.media.signatures import extension_of
from inglenook.workflows import WorkflowFormatError

_KEYS = ("workflow", "prompt")
"""What the editor can show again comes first: it says more than the graph that was run."""


async def workflow_in(server: Services, file: BinaryIO) -> Any:
    """The document in an uploaded file. Raises ApiError 400, 413, 503."""
    suffix = await asyncio.to_thread(extension_of, file)
    kind = media_kind(f"x{suffix}") if suffix else None
    if kind is None:
        return await asyncio.to_thread(_parse, file, server.settings.max_json_depth)
    try:
        if kind in ("video", "audio"):
            texts = await _tags(server, file, suffix or "")
        else:
            texts = await in_picture_thread(lambda: metadata_of(file.read()))
    except MediaError as error:
        raise _no_workflow(str(error)) from error
    return await asyncio.to_thread(_carried, texts, server.settings.max_json_depth)


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


def _carried(texts: Mapping[str, str], max_depth: int) -> Any:
    for key in _KEYS:
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
