"""`/upload/image`, `/upload/mask`, `/view`, `/view_metadata`: files in and out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter
from PIL import Image
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from inglenook.api.comfy.file_response import FileAnswer, answer_with_file, disposition
from inglenook.api.deps import folders, settings
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.errors import MediaError, UnsafePath
from inglenook.media import images, metadata, paths, safetensors_header, uploads
from inglenook.media.folders import split_annotation
from inglenook.media.uploads import Pieces

router = APIRouter(tags=["files"])

Result = TypeVar("Result")
Encoder = Callable[[Image.Image], bytes]

_TYPES = ("input", "output", "temp")
_PLURALS = {f"{kind}s": kind for kind in _TYPES}
_DEFAULT_QUALITY = 90
_HELD_BYTES = 16 << 20
"""An upload up to this size is held in memory until it is written; a larger one goes through a temporary file."""

_pictures = ThreadPoolExecutor(max_workers=2, thread_name_prefix="pictures")
"""Decodes pictures for clients: few at a time, because each may take hundreds of megabytes."""


async def _in_picture_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    return await asyncio.get_running_loop().run_in_executor(_pictures, function, *arguments)


# Uploads


def _form_documentation(*fields: tuple[str, str]) -> dict[str, Any]:
    properties: dict[str, Any] = {"image": {"type": "string", "format": "binary"}}
    properties |= {name: {"type": "string", "description": description} for name, description in fields}
    schema = {"type": "object", "properties": properties, "required": ["image"]}
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}, "required": True}}


_UPLOAD_FIELDS = (
    ("overwrite", "`true` or `1` replaces a file of that name"),
    ("subfolder", "folder below the input folder"),
    ("type", "`input` (default), `temp` or `output`"),
)


@router.post("/upload/image", summary="Upload a file of any kind", openapi_extra=_form_documentation(*_UPLOAD_FIELDS))
async def post_image(request: Request) -> Response:
    """Store the form's file `image`; returns the `name`, `subfolder` and `type` under which nodes find it."""
    async with _Form(request) as form:
        return JSONResponse(await _store(request, form, _upload(form)))


@router.post(
    "/upload/mask",
    summary="Upload a mask for an image",
    openapi_extra=_form_documentation(
        *_UPLOAD_FIELDS, ("original_ref", 'JSON: `{"filename", "subfolder", "type"}` of the picture that it masks')
    ),
)
async def post_mask(request: Request) -> Response:
    """Store the picture `original_ref` with the alpha channel of the form's file `image`.

    Without `original_ref` it is stored as `/upload/image` stores it.
    """
    async with _Form(request) as form:
        upload = _upload(form)
        reference = form.get("original_ref")
        if reference is None:
            return JSONResponse(await _store(request, form, upload))
        original = _original(request, reference)
        if not await asyncio.to_thread(original.is_file):  # as ComfyUI, which then writes nothing
            name, subfolder, kind, _ = _target(form, upload)
            return JSONResponse({"name": name, "subfolder": subfolder, "type": kind})
        limit = round(settings(request).max_megapixels * 1e6)
        data = await _in_picture_thread(uploads.with_alpha_of, original, upload.file, limit)
        return JSONResponse(await _store(request, form, upload, data))


class _Form:
    """The parsed form of a request, with its temporary files as long as the block lasts."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._form: FormData | None = None

    async def __aenter__(self) -> FormData:
        parser = MultiPartParser(self._request.headers, self._request.stream(), max_files=20, max_fields=50)
        parser.spool_max_size = _HELD_BYTES
        try:
            if not self._request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
                raise MultiPartException("The content type is not multipart/form-data")
            self._form = await parser.parse()
        except MultiPartException as error:
            raise ApiError(400, "invalid_form", "The body is not a complete form", error.message) from None
        except ClientDisconnect:
            raise ApiError(400, "incomplete_body", "The client went away") from None
        return self._form

    async def __aexit__(self, *_: object) -> None:
        if self._form is not None:
            await self._form.close()


def _upload(form: FormData) -> UploadFile:
    upload = form.get("image")
    if not isinstance(upload, UploadFile):
        raise ApiError(400, "no_image", "The form has no file in the field 'image'")
    return upload


def _target(form: FormData, upload: UploadFile) -> tuple[str, str, str, bool]:
    """File name, subfolder as sent, folder type, and whether to overwrite."""
    kind, subfolder = _text(form, "type") or "input", _text(form, "subfolder")
    _check_type(kind)
    overwrite = _text(form, "overwrite") in ("true", "1", "True")
    return uploads.file_name(upload.filename or ""), subfolder, kind, overwrite


def _text(form: FormData, field: str) -> str:
    value = form.get(field, "")
    if isinstance(value, UploadFile):
        raise ApiError(400, "invalid_form", f"The field {field!r} must be text, not a file")
    return value


async def _store(request: Request, form: FormData, upload: UploadFile, data: bytes | None = None) -> dict[str, str]:
    """Write the upload, or `data` in its place."""
    name, subfolder, kind, overwrite = _target(form, upload)
    root = folders(request).directory(kind)
    content = Pieces(upload.file) if data is None else Pieces.of(data)
    stored = await asyncio.to_thread(lambda: uploads.store(root, subfolder, name, content, overwrite=overwrite))
    return {"name": stored, "subfolder": subfolder, "type": kind}


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
    _check_type(kind)
    return paths.resolve(folders(request).directory(kind), subfolder, uploads.file_name(filename))


def _check_type(kind: str) -> None:
    if kind not in _TYPES:
        raise ApiError(400, "invalid_type", f"Unknown type {kind[:50]!r}: use input, output or temp")


# Downloads


def _query_documentation(*parameters: tuple[str, str]) -> dict[str, Any]:
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "description": description, "schema": {"type": "string"}}
            for name, description in parameters
        ]
    }


@router.get(
    "/view",
    summary="A file of the output, input or temp folder",
    openapi_extra=_query_documentation(
        ("filename", "name, perhaps with ` [output]`, ` [input]` or ` [temp]` behind it"),
        ("type", "`output` (default), `input` or `temp`"),
        ("subfolder", "folder below it"),
        ("preview", "`webp`, `jpeg` or `png`, perhaps with a quality: `webp;90`"),
        ("channel", "`rgb` without alpha, `a` only alpha, as PNG"),
    ),
)
async def get_view(request: Request) -> Response:
    """Send a file as it is, or a picture as a preview or one of its channels."""
    query = request.query_params
    preview, channel = query.get("preview"), query.get("channel", "")
    make = _picture_maker(preview, channel)
    if make is None:
        return (await asyncio.to_thread(_plain, request)).response()
    image_format, encode = make
    limit = round(settings(request).max_megapixels * 1e6)
    name, data = await _in_picture_thread(_made, request, encode, limit)
    headers = {"Content-Disposition": disposition(name), "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type=f"image/{image_format}", headers=headers)


def _plain(request: Request) -> FileAnswer:
    return answer_with_file(_viewed_path(request), request.headers)


def _made(request: Request, encode: Encoder, limit: int) -> tuple[str, bytes]:
    """The name of the viewed file and the picture made of it."""
    path = _viewed_path(request)
    try:
        with images.opened(path, limit) as file:
            return path.name, encode(file)
    except (FileNotFoundError, IsADirectoryError):
        raise ApiError(404, "not_found", f"There is no file {path.name!r}") from None


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
    _check_type(kind)
    root = folders(request).directory(kind)
    subfolder = query.get("subfolder") or ""
    try:
        if _PLURALS.get(subfolder, subfolder) == kind and not paths.resolve(root, subfolder).is_dir():
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


# Metadata


@router.get(
    "/view_metadata/{folder}",
    summary="Metadata of a model file",
    openapi_extra=_query_documentation(("filename", "a `.safetensors` file of the model folder")),
)
async def get_metadata(request: Request) -> Response:
    """Return `__metadata__` of a safetensors file; for the folders of `/view`, what a picture carries."""
    folder, filename = request.path_params["folder"], request.query_params.get("filename") or ""
    if folder in _TYPES or folder in _PLURALS:
        return await _embedded(request, folder, filename)
    if not filename.endswith(".safetensors"):
        raise ApiError(404, "not_found", "Give the filename of a .safetensors file")
    found = await asyncio.to_thread(_model_metadata, request, folder, filename)
    return JSONResponse(found)


def _model_metadata(request: Request, folder: str, filename: str) -> dict[str, Any]:
    try:
        found = safetensors_header.metadata(folders(request).find(folder, filename))
    except MediaError:
        raise ApiError(404, "not_found", f"There is no file {filename[:100]!r} that can be read") from None
    if found is None:
        raise ApiError(404, "no_metadata", f"{filename[:100]!r} has no metadata")
    return found


@router.get("/view_metadata/{folder}/{filename:path}", summary="The workflow inside a picture")
async def get_embedded(request: Request) -> Response:
    """Return what a file of the output, input or temp folder carries: `workflow` as text, `prompt` as an object."""
    return await _embedded(request, request.path_params["folder"], request.path_params["filename"])


async def _embedded(request: Request, folder: str, filename: str) -> Response:
    kind = _PLURALS.get(folder, folder)
    if kind not in _TYPES:
        raise ApiError(404, "not_found", f"There is no folder {folder[:50]!r}: use input, output or temp")
    path = paths.resolve(folders(request).directory(kind), filename)
    try:
        text = await _in_picture_thread(metadata.read_metadata, path)
    except (FileNotFoundError, IsADirectoryError):
        raise ApiError(404, "not_found", f"There is no file {filename[:100]!r}") from None
    if not text:
        raise ApiError(404, "no_metadata", f"{filename[:100]!r} carries no workflow")
    answer: dict[str, Any] = dict(text)
    if "prompt" in text:
        answer["prompt"] = metadata.parse_workflow(text["prompt"])
    return JSONResponse(answer)
