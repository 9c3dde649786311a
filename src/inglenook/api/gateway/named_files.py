"""`/api/image/{filename}`, `/api/audio/...`, `/api/video/...`: a result by its name alone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.comfy.file_response import FileAnswer, answer_with_file, disposition
from inglenook.api.deps import Services, services
from inglenook.api.errors import ApiError
from inglenook.api.gateway.refusals import refusals
from inglenook.api.pictures import in_picture_thread
from inglenook.errors import UnsafePath
from inglenook.media import images
from inglenook.media.kinds import media_kind

router = APIRouter(prefix="/api", tags=["results"])

_SMALLEST, _LARGEST = 16, 2048
_QUALITY = 80

Filename = Annotated[str, InPath(description="A file name, or a path below the output folder", max_length=1000)]
Size = Annotated[
    int | None, Query(ge=_SMALLEST, le=_LARGEST, description="Longest side of a small picture of it in place of it")
]


def _file(media: str) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that sends a file."""
    content = {media: {"schema": {"type": "string", "format": "binary"}}}
    return {
        200: {"content": content, "description": "The file"},
        206: {"content": content, "description": "The part that Range asks for"},
        304: {"description": "The client has it already"},
        412: refusals(416)[416],
        **refusals(400, 404, 416, 422),
    }


@router.get(
    "/image/{filename:path}", summary="A picture by its name", response_class=Response, responses=_file("image/*")
)
async def get_image(request: Request, filename: Filename, size: Size = None) -> Response:
    """Send the file of that name from the outputs, the newest of several, else from `temp`, else from the inputs."""
    path = await _find(request, filename, "image")
    if size is None:
        return (await asyncio.to_thread(_whole, path, request)).response()
    return await _small(path, services(request), size, path)


@router.get(
    "/video/{filename:path}", summary="A video by its name", response_class=Response, responses=_file("video/*")
)
async def get_video(request: Request, filename: Filename, size: Size = None) -> Response:
    """As for pictures; with `size` its first picture. Parts are sent where Range asks for them."""
    path = await _find(request, filename, "video")
    if size is None:
        return (await asyncio.to_thread(_whole, path, request)).response()
    server = services(request)
    poster = await server.media_reader.poster(path, _limit(server))
    return await _small(poster, server, size, path)


@router.get(
    "/audio/{filename:path}", summary="A sound by its name", response_class=Response, responses=_file("audio/*")
)
async def get_audio(request: Request, filename: Filename) -> Response:
    """As for pictures. Parts are sent where Range asks for them."""
    path = await _find(request, filename, "audio")
    return (await asyncio.to_thread(_whole, path, request)).response()


async def _find(request: Request, filename: str, kind: Literal["image", "audio", "video"]) -> Path:
    server = services(request)
    roots = [server.folders.directory(folder) for folder in ("output", "temp", "input")]
    if media_kind(filename) != kind:
        raise ApiError(404, "not_found", f"{filename[:100]!r} does not name a file of the kind {kind}")
    try:
        path = await asyncio.to_thread(server.named_files.find, roots, filename)
    except UnsafePath as error:
        raise ApiError(404, "not_found", str(error)) from None
    if path is None:
        raise ApiError(404, "not_found", f"There is no file {filename[:100]!r}")
    return path


def _whole(path: Path, request: Request) -> FileAnswer:
    return answer_with_file(path, request.headers)


def _limit(server: Services) -> int:
    return round(server.settings.max_megapixels * 1e6)


async def _small(source: images.Source, server: Services, size: int, path: Path) -> Response:
    data = await in_picture_thread(_thumbnail, source, size, _limit(server))
    headers = {
        "Content-Disposition": disposition(f"{path.stem}.webp"),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }
    return Response(data, media_type="image/webp", headers=headers)


def _thumbnail(source: images.Source, size: int, limit: int) -> bytes:
    """Raises ApiError 404 when the file is gone."""
    try:
        with images.opened(source, limit) as file:
            file.draft("RGB", (size * 2, size * 2))  # JPEG is decoded smaller at once
            picture = images.eight_bit(file)
            picture.thumbnail((size, size))
            return images.encode(picture, "webp", _QUALITY)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise ApiError(404, "not_found", "The file is gone") from None
