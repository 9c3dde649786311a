"""`/upload/image`, `/upload/mask`, `/view`: files in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter
from PIL import Image
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.comfy.asset_uploads import asset_of_upload
from inglenook.api.comfy.file_response import FileAnswer, answer_with_file, disposition
from inglenook.api.deps import folders, owner, services, settings
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.forms import file_field, parsed_form, text_field
from inglenook.api.openapi import PATH, SUBFOLDER, choice, form_documentation, query_documentation
from inglenook.api.pictures import in_picture_thread
from inglenook.assets import is_hash
from inglenook.errors import UnsafePath
from inglenook.media import images, paths, uploads
from inglenook.media.folders import split_annotation
from inglenook.media.kinds import media_kind
from inglenook.media.uploads import Pieces

router = APIRouter(tags=["files"])

Encoder = Callable[[Image.Image], bytes]

TYPES = ("input", "output", "temp")
PLURALS = {f"{kind}s": kind for kind in TYPES}
_DEFAULT_QUALITY = 90


# Uploads


_UPLOAD_FIELDS = (
    ("overwrite", "`true` or `1` replaces a file of that name"),
    ("subfolder", "folder below the input folder", SUBFOLDER),
    ("type", "`input` without it", choice(*TYPES)),
)


@router.post(
    "/upload/image", summary="Upload a file of any kind", openapi_extra=form_documentation("image", *_UPLOAD_FIELDS)
)
async def post_image(request: Request) -> Response:
    """Store the form's file `image`; returns the `name`, `subfolder` and `type` under which nodes find it."""
    async with parsed_form(request) as form:
        return JSONResponse(await _store(request, form, file_field(form, "image")))


_REFERENCE = {
    "type": "object",
    "properties": {"filename": PATH, "subfolder": SUBFOLDER, "type": choice("output", "input", "temp")},
    "required": ["filename"],
}


@router.post(
    "/upload/mask",
    summary="Upload a mask for an image",
    openapi_extra=form_documentation(
        "image",
        *_UPLOAD_FIELDS,
        ("original_ref", "The picture that it masks", _REFERENCE),
    ),
)
async def post_mask(request: Request) -> Response:
    """Store the picture `original_ref` with the alpha channel of the form's file `image`.

    Without `original_ref` it is stored as `/upload/image` stores it.
    """
    async with parsed_form(request) as form:
        upload = file_field(form, "image")
        reference = form.get("original_ref")
        if reference is None:
            return JSONResponse(await _store(request, form, upload))
        original = _original(request, reference)
        if not await asyncio.to_thread(original.is_file):  # as ComfyUI, which then writes nothing
            name, subfolder, kind, _ = _target(form, upload)
            return JSONResponse({"name": name, "subfolder": subfolder, "type": kind})
        limit = round(settings(request).max_megapixels * 1e6)
        data = await in_picture_thread(uploads.with_alpha_of, original, upload.file, limit)
        return JSONResponse(await _store(request, form, upload, data))


def _target(form: FormData, upload: UploadFile) -> tuple[str, str, str, bool]:
    """File name, subfolder as sent, folder type, and whether to overwrite."""
    kind, subfolder = text_field(form, "type") or "input", text_field(form, "subfolder")
    check_type(kind)
    paths.parts(subfolder)
    overwrite = text_field(form, "overwrite") in ("true", "1", "True")
    return uploads.file_name(upload.filename or ""), subfolder, kind, overwrite


async def _store(request: Request, form: FormData, upload: UploadFile, data: bytes | None = None) -> dict[str, Any]:
    """Write the upload, or `data` in its place."""
    name, subfolder, kind, overwrite = _target(form, upload)
    root = folders(request).directory(kind)
    content = Pieces(upload.file) if data is None else Pieces.of(data)
    stored = await asyncio.to_thread(lambda: uploads.store(root, subfolder, name, content, overwrite=overwrite))
    asset = await asset_of_upload(request, kind, subfolder, stored, content)
    return {"name": stored, "subfolder": subfolder, "type": kind, **asset}


def _original(request: Request, reference: object) -> Path:
    """The path of the picture that a mask belongs to."""
    try:
        value = orjson.loads(reference) if isinstance(reference, str) else None
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(400, "invalid_reference", "original_ref must be a JSON object with a filename")
    filename, subfolder, kind = (value.get("filename"), value.get("subfolder") or "", value.get("type") or "output")
    if not (isinstance(filename, str) and isinstance(subfolder, str) and isinstance(kind, str)) or not filename:
        raise ApiError(400, "invalid_reference", "filename, subfolder and type of original_ref must be text")
    filename, kind = split_annotation(filename, kind)
    check_type(kind)
    return paths.resolve(folders(request).directory(kind), subfolder, uploads.file_name(filename))


def check_type(kind: str) -> None:
    if kind not in TYPES:
        raise ApiError(400, "invalid_type", f"Unknown type {kind[:50]!r}: use input, output or temp")


# Downloads


@router.get(
    "/view",
    summary="A file of the output, input or temp folder",
    openapi_extra=query_documentation(
        (
            "filename",
            "name, perhaps with ` [output]`, ` [input]` or ` [temp]` behind it; without `..`, 404 without a name",
            PATH,
        ),
        ("type", "`output` without it", choice("output", "input", "temp")),
        ("subfolder", "folder below it", SUBFOLDER),
        ("preview", "`webp`, `jpeg` or `png`, perhaps with a quality: `webp;90`"),
        ("channel", "`rgb` without alpha, `a` only alpha, as PNG"),
    ),
)
async def get_view(request: Request) -> Response:
    """Send a file as it is, or a picture as a preview or one of its channels; of a video, its first picture."""
    query = request.query_params
    preview, channel = query.get("preview"), query.get("channel", "")
    make = _picture_maker(preview, channel)
    asset = await _asset_path(request)
    if make is None:
        return (await asyncio.to_thread(_plain, request, asset)).response()
    image_format, encode = make
    path = await asyncio.to_thread(_viewed_path, request) if asset is None else asset
    limit = round(settings(request).max_megapixels * 1e6)
    try:
        source = path if media_kind(path.name) != "video" else await services(request).media_reader.poster(path, limit)
        data = await in_picture_thread(_made, source, encode, limit)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise ApiError(404, "not_found", f"There is no file {path.name!r}") from None
    headers = {"Content-Disposition": disposition(path.name), "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=f"image/{image_format}", headers=headers)


def _plain(request: Request, asset: Path | None) -> FileAnswer:
    return answer_with_file(asset or _viewed_path(request), request.headers)


async def _asset_path(request: Request) -> Path | None:
    """The path of `filename=blake3:<hash>`; None for another name. Raises ApiError 404."""
    given = request.query_params.get("filename") or ""
    if not given.startswith("blake3:"):
        return None
    name = split_annotation(given, "")[0]
    opened = services(request).assets
    found = await opened.library.with_content(name, owner(request)) if opened is not None and is_hash(name) else None
    if found is None:
        raise ApiError(404, "not_found", f"There is no asset {name[:100]!r}")
    return found[1]


def _made(source: images.Source, encode: Encoder, limit: int) -> bytes:
    with images.opened(source, limit) as file:
        return encode(file)


def _viewed_path(request: Request) -> Path:
    """The path that a query names; blocks on the disk. Raises ApiError 400, 403 (subfolder), 404 (no filename)."""
    query = request.query_params
    given = query.get("filename")
    if given is None:
        raise ApiError(404, "not_found", "No filename was given")
    filename, kind = split_annotation(given, query.get("type") or "output")
    if not filename or filename.startswith(("/", "\\")) or ".." in filename:
        raise ApiError(400, "invalid_filename", f"{given[:100]!r} is not a file name")
    name = uploads.file_name(filename)
    check_type(kind)
    root = folders(request).directory(kind)
    subfolder = query.get("subfolder") or ""
    try:
        if PLURALS.get(subfolder, subfolder) == kind and not paths.resolve(root, subfolder).is_dir():
            subfolder = ""
        return paths.resolve(root, subfolder, name)
    except UnsafePath as error:
        raise ApiError(403, "forbidden", str(error)) from None


def _picture_maker(preview: str | None, channel: str) -> tuple[str, Encoder] | None:
    """Format and encoder of what is asked for; None for the file itself."""
    if preview is not None:
        return _preview_maker(preview, channel)
    if channel == "rgb":
        return "png", lambda image: images.encode(images.eight_bit(image).convert("RGB"), "png")
    if channel in ("a", "alpha"):
        return "png", lambda image: images.encode(images.only_alpha(image), "png")
    return None


def _preview_maker(preview: str, channel: str) -> tuple[str, Encoder]:
    image_format, *options = preview.split(";")
    quality = _quality(options[-1]) if options else _DEFAULT_QUALITY
    if image_format not in ("jpeg", "png") or (image_format == "jpeg" and "a" in channel):
        image_format = "webp"

    def encode(image: Image.Image) -> bytes:
        picture = images.eight_bit(image)
        return images.encode(picture.convert("RGB") if channel == "rgb" else picture, image_format, quality)

    return image_format, encode


def _quality(text: str) -> int:
    return max(1, min(100, int(text))) if text.isascii() and text.isdigit() and len(text) < 9 else _DEFAULT_QUALITY
