"""`/experiment/models/preview`: pictures of model files."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import folders, settings
from inglenook.api.errors import ApiError
from inglenook.api.etags import is_known
from inglenook.errors import MediaError, UnsafePath
from inglenook.media import model_preview, paths

router = APIRouter(tags=["models"])

_one_by_one = ThreadPoolExecutor(max_workers=1, thread_name_prefix="previews")
"""A page of the editor asks for dozens at once, and each may take hundreds of megabytes while it is decoded."""


@router.get("/experiment/models/preview/{folder}/{path_index}/{filename:path}", summary="The picture of a model file")
async def get_preview(request: Request) -> Response:
    """Return as WEBP what lies beside the model file, or the cover in its metadata; 404 when there is neither.

    `path_index` counts the paths of the folder as `/experiment/models` shows them.
    """
    limit = round(settings(request).max_megapixels * 1e6)
    model = _model(request)
    return await asyncio.get_running_loop().run_in_executor(_one_by_one, _answer, request, model, limit)


def _model(request: Request) -> Path:
    """The path of the model file, which need not exist. Raises ApiError 404."""
    folder = folders(request).model_folder(request.path_params["folder"])
    index = request.path_params["path_index"]
    places = () if folder is None else (*folder.paths, *folder.packaged)
    if not (index.isascii() and index.isdigit() and len(index) < 6 and int(index) < len(places)):
        raise _nothing()
    name = request.path_params["filename"]
    try:
        if not paths.parts(name):
            raise _nothing()
        return paths.join(places[int(index)], name)
    except UnsafePath:
        raise _nothing() from None


def _answer(request: Request, model: Path, limit: int) -> Response:
    try:
        picture = model_preview.picture_beside(model)
        status = (picture or model).stat()
        etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if is_known(request.headers, etag):
            return Response(status_code=304, headers=headers)
        source = picture or model_preview.cover(model)
        if source is not None:
            data = model_preview.as_webp(source, limit)
            return Response(data, media_type="image/webp", headers=headers)
    except (OSError, MediaError):  # gone meanwhile, a name too long for the system, or no picture that can be read
        pass
    raise _nothing()


def _nothing() -> ApiError:
    return ApiError(404, "not_found", "There is no such preview", headers={"Cache-Control": "no-cache"})
