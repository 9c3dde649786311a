"""`/view_metadata`: what model files say of themselves, and the workflow inside pictures, sound and video."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.comfy.files import PLURALS, TYPES
from inglenook.api.deps import folders, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.openapi import query_documentation
from inglenook.api.pictures import in_picture_thread
from inglenook.errors import MediaError, ModelError
from inglenook.media import metadata, paths, safetensors_header
from inglenook.media.kinds import media_kind

router = APIRouter(tags=["files"])


@router.get(
    "/view_metadata/{folder}",
    summary="Metadata of a model file",
    openapi_extra=query_documentation(("filename", "a `.safetensors` file of the model folder")),
)
async def get_metadata(request: Request) -> Response:
    """Return `__metadata__` of a safetensors file; for the folders of `/view`, what a picture carries."""
    folder, filename = request.path_params["folder"], request.query_params.get("filename") or ""
    if PLURALS.get(folder, folder) in TYPES:
        return await _embedded(request, folder, filename)
    if not filename.endswith(".safetensors"):
        raise ApiError(404, "not_found", "Give the filename of a .safetensors file")
    return JSONResponse(await asyncio.to_thread(_model_metadata, request, folder, filename))


def _model_metadata(request: Request, folder: str, filename: str) -> dict[str, Any]:
    try:
        found = safetensors_header.metadata(folders(request).find(folder, filename))
    except (MediaError, ModelError, OSError):
        raise ApiError(404, "not_found", f"There is no file {filename[:100]!r} that can be read") from None
    if found is None:
        raise ApiError(404, "no_metadata", f"{filename[:100]!r} has no metadata")
    return found


@router.get("/view_metadata/{folder}/{filename:path}", summary="The workflow inside a picture, sound or video")
async def get_embedded(request: Request) -> Response:
    """Return what a file of the output, input or temp folder carries: `workflow` as text, `prompt` as an object."""
    return await _embedded(request, request.path_params["folder"], request.path_params["filename"])


async def _embedded(request: Request, folder: str, filename: str) -> Response:
    kind = PLURALS.get(folder, folder)
    if kind not in TYPES:
        raise ApiError(404, "not_found", f"There is no folder {folder[:50]!r}: use input, output or temp")
    path = paths.resolve(folders(request).directory(kind), filename)
    try:
        if media_kind(path.name) in ("video", "audio"):
            text = await services(request).media_reader.tags(path)
        else:
            text = await in_picture_thread(metadata.read_metadata, path)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise ApiError(404, "not_found", f"There is no file {filename[:100]!r}") from None
    if not text:
        raise ApiError(404, "no_metadata", f"{filename[:100]!r} carries no workflow")
    answer: dict[str, Any] = dict(text)
    if "prompt" in text:
        answer["prompt"] = metadata.parse_workflow(text["prompt"])
    return _shown(answer)


def _shown(answer: dict[str, Any]) -> Response:
    try:
        return JSONResponse(answer)
    except TypeError:  # numbers and texts that JSON has, but no client could read; nesting without end
        raise MediaError("the embedded workflow is not valid JSON") from None
