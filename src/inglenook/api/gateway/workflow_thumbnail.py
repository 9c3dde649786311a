"""`GET /api/workflow/{filename}/thumbnail`: the first picture of the last run that made one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import Services, services
from inglenook.api.errors import ApiError
from inglenook.api.gateway.library_models import Filename
from inglenook.api.gateway.refusals import refusals
from inglenook.api.identity import user_of
from inglenook.api.library_entries import ListedWorkflow
from inglenook.api.pictures import in_picture_thread
from inglenook.errors import MediaError, UnsafePath
from inglenook.jobs import JobId
from inglenook.media import images, paths
from inglenook.media.kinds import media_kind

router = APIRouter(prefix="/api", tags=["workflows"])

_SIDE = 320
_QUALITY = 80
_MOST_TRIED = 5
"""Files of one run that a picture is looked for in."""


@router.get(
    "/workflow/{filename}/thumbnail",
    summary="A picture of what a stored workflow makes",
    response_class=Response,
    responses={
        200: {"content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "It is the one that the client has"},
        **refusals(404),
    },
)
async def get_workflow_thumbnail(request: Request, filename: Filename) -> Response:
    """Send a WebP file of at most 320 pixels a side; it is kept when the files of the run are removed."""
    server = services(request)
    listed = await server.library.find(user_of(request), filename)
    found = await _thumbnail(server, listed)
    if found is None:
        raise ApiError(404, "no_thumbnail", f"No run of {listed.name} has made a picture yet")
    job_id, image = found
    etag = f'"{hashlib.blake2b(job_id.encode("utf-8", "replace"), digest_size=12).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(image, media_type="image/webp", headers=headers)


async def _thumbnail(server: Services, listed: ListedWorkflow) -> tuple[str, bytes] | None:
    """Id of a job and the picture of it: of the newest run that has one, made now unless it is the one that is kept."""
    kept = await server.library.thumbnail(listed)
    for job_id in listed.runs:
        if kept is not None and kept[0] == job_id:
            return kept
        finished = await server.store.history_entry(JobId(job_id))
        image = None if finished is None else await _picture(server, finished.result.outputs)
        if image is not None:
            await server.library.keep_thumbnail(listed, job_id, image)
            return job_id, image
    return kept


async def _picture(server: Services, outputs: Mapping[str, Any]) -> bytes | None:
    max_pixels = round(server.settings.max_megapixels * 1e6)
    for number, (kind, path) in enumerate(_files(server, outputs)):
        if number >= _MOST_TRIED:
            break
        try:
            poster = None if kind == "image" else await server.media_reader.poster(path, max_pixels)
            return await in_picture_thread(_small, path if poster is None else poster, max_pixels)
        except (MediaError, ApiError, OSError):
            continue
    return None


def _files(server: Services, outputs: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Pictures, then videos, that the nodes of a run have shown."""
    shown = [item for node in outputs.values() if isinstance(node, dict) for item in _items(node)]
    for kind in ("image", "video"):
        for item in shown:
            name, folder, root = item.get("filename"), item.get("subfolder") or "", item.get("type") or "output"
            if not (isinstance(name, str) and isinstance(folder, str) and isinstance(root, str)):
                continue
            if media_kind(name) == kind:
                try:
                    yield kind, paths.resolve(server.folders.directory(root), folder, name)
                except (MediaError, UnsafePath):
                    continue


def _items(node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for listed in node.values():
        if isinstance(listed, list):
            yield from (item for item in listed if isinstance(item, dict))


def _small(source: Path | bytes, max_pixels: int) -> bytes:
    with images.opened(source, max_pixels) as image:
        image.draft("RGB", (_SIDE * 2, _SIDE * 2))
        picture = images.eight_bit(image)
    picture.thumbnail((_SIDE, _SIDE))
    return images.encode(picture, "webp", _QUALITY)
