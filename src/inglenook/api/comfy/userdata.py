"""`/userdata`, `/v2/userdata`: the files of a user, such as workflows and the editor's style sheet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.comfy.file_response import FileAnswer, answer_with_file, disposition, is_active
from inglenook.api.deps import settings, users
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.identity import user_of
from inglenook.api.openapi import TEXT, bytes_documentation, query_documentation
from inglenook.api.segments import segment_router
from inglenook.api.spooled import spooled_body
from inglenook.api.uploaded import UploadedFile, uploaded_file
from inglenook.errors import UnsafePath
from inglenook.media.kinds import content_type
from inglenook.media.user_files import Entry, UserFiles
from inglenook.media.writing import Data

router = segment_router("users")

Result = TypeVar("Result")

_STYLE_SHEET = "user.css"
"""The one file that the editor loads as a part of its page."""


async def _with_files(request: Request, work: Callable[[UserFiles], Result]) -> Result:
    """What `work` makes of the user's files, in a thread; its errors as ComfyUI's statuses."""
    user_id = user_of(request)

    def working() -> Result:
        with _translated():
            return work(users(request).files(user_id))

    return await asyncio.to_thread(working)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except UnsafePath as error:
        raise ApiError(403, "forbidden", str(error)) from None
    except FileNotFoundError:
        raise ApiError(404, "not_found", "There is no such file") from None
    except FileExistsError:
        raise ApiError(409, "file_exists", "File already exists") from None
    except OSError as error:
        raise ApiError(400, "invalid_path", f"That cannot be done: {error.strerror}") from None


def _is_on(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() == "true"


def _overwrites(request: Request) -> bool:
    return request.query_params.get("overwrite", "").lower() != "false"


# Lists


_TOLD = (("full_info", "`true` tells size and times, too"),)
_KEPT = (("overwrite", "`false` keeps a file that is there"), *_TOLD)


@router.get(
    "/userdata",
    summary="Files of the user in a folder",
    openapi_extra=query_documentation(
        ("dir", "the folder; without it, all files", {"type": "string", "minLength": 1}),
        ("recurse", "`true` takes subfolders in"),
        ("split", "`true` tells the parts of each name"),
        *_TOLD,
    ),
)
async def get_userdata(request: Request) -> Response:
    """Return the names of the files in the folder `dir`, relative to it; without `dir`, all files of the user.

    `recurse=true`: with those of its subfolders. `full_info=true`: objects with size and times in milliseconds.
    `split=true`: lists of the name and its parts.
    """
    folder = request.query_params.get("dir")
    if folder == "":
        raise ApiError(400, "no_directory", "Directory not provided")
    recurse = folder is None or _is_on(request, "recurse")

    def listed(files: UserFiles) -> list[Entry]:
        try:
            return files.listing(folder or "", recurse=recurse)
        except UnsafePath as error:
            raise ApiError(403, "forbidden", "Invalid directory", str(error)) from None
        except (FileNotFoundError, NotADirectoryError):
            if folder is None:  # the user has no folder yet
                return []
            raise ApiError(404, "not_found", "Directory not found") from None

    entries = await _with_files(request, listed)
    return JSONResponse([_listed(request, entry) for entry in entries])


def _listed(request: Request, entry: Entry) -> Any:
    if _is_on(request, "full_info"):
        return _info(entry)
    return [entry.path, *entry.path.split("/")] if _is_on(request, "split") else entry.path


def _info(entry: Entry) -> dict[str, Any]:
    """A file as `full_info` shows it; the editor of 2026 wants milliseconds."""
    return {
        "path": entry.path,
        "size": entry.size,
        "modified": entry.modified_ns // 1_000_000,
        "created": entry.created_ns // 1_000_000,
    }


@router.get(
    "/v2/userdata",
    summary="Files and folders of the user",
    openapi_extra=query_documentation(("path", "folder below that of the user")),
)
async def get_tree(request: Request) -> Response:
    """Return everything below the folder `path`, folders first; paths are relative to the user's folder."""
    if not _is_known(request):
        raise ApiError(403, "forbidden", "There is no such user")
    path = request.query_params.get("path", "")

    def listed(files: UserFiles) -> list[dict[str, Any]]:
        try:
            prefix = files.relative(files.path(path))
            return [_in_tree(entry, "" if prefix == "." else f"{prefix}/") for entry in files.tree(path)]
        except UnsafePath as error:
            status = 403 if ".." in path or path.startswith(("/", "\\")) else 400
            raise ApiError(status, "invalid_path", "Invalid path requested", str(error)) from None
        except NotADirectoryError:
            raise ApiError(400, "not_a_directory", "Requested path is not a directory") from None
        except FileNotFoundError:
            if prefix == ".":
                return []
            raise ApiError(404, "not_found", "Requested path not found") from None

    return JSONResponse(await _with_files(request, listed))


def _is_known(request: Request) -> bool:
    try:
        user_of(request)
    except ApiError:
        return False
    return True


def _in_tree(entry: Entry, prefix: str) -> dict[str, Any]:
    shown = {"name": entry.name, "path": prefix + entry.path}
    if entry.is_folder:
        return {**shown, "type": "directory"}
    return {**shown, "type": "file", "size": entry.size, "modified": entry.modified_ns / 1e9}


# One file


@router.get("/userdata/{file}", summary="A file of the user")
async def get_file(request: Request) -> Response:
    """Send a file as a download that no page can run; the path is one encoded segment (`workflows%2Fa.json`)."""
    name = request.path_params["file"]

    def opened(files: UserFiles) -> FileAnswer:
        path = files.path(name)
        return answer_with_file(path, request.headers, _type_headers(files.relative(path)))

    try:
        return (await _with_files(request, opened)).response()
    except ApiError as error:
        # The editor's page links its style sheet whether there is one or not; a JSON error in its place is an alarm
        if error.status == 404 and name == _STYLE_SHEET and request.headers.get("sec-fetch-dest") == "style":
            return Response(headers=_type_headers(name))
        raise


def _type_headers(name: str) -> dict[str, str]:
    """How a file of the user is sent: kept by nobody else, and run by no page except for the style sheet."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache", "Vary": "Comfy-User"}
    if name == _STYLE_SHEET:
        return {**headers, "Content-Type": "text/css; charset=utf-8"}
    media_type = content_type(name)
    return {
        **headers,
        "Content-Type": "application/octet-stream" if is_active(media_type) else media_type,
        "Content-Disposition": disposition(name.rpartition("/")[2], "attachment; "),
    }


@router.post(
    "/userdata/{file}",
    summary="Store a file of the user",
    openapi_extra={**query_documentation(*_KEPT), **bytes_documentation()},
)
async def post_file(request: Request) -> Response:
    """Store the body; return the path. `overwrite=false` keeps a file that is there (409)."""
    user_of(request)
    async with spooled_body(request) as content:
        return await _store(request, request.path_params["file"], content, overwrite=_overwrites(request))


_GIVEN = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "path": {**TEXT, "description": "Where to store it; under its own name without it"},
                        "overwrite": {
                            "type": ["string", "boolean"],
                            "description": "`false` keeps a file that is there",
                        },
                    },
                    "required": ["file"],
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "path": {**TEXT, "minLength": 1},
                        "content": {"description": "Text, or any JSON"},
                        "overwrite": {"type": ["boolean", "null"]},
                    },
                    "required": ["path", "content"],
                }
            },
        },
    }
}


@router.post(
    "/userdata",
    summary="Store a file of the user from a form or JSON",
    openapi_extra={**query_documentation(*_KEPT), **_GIVEN},
)
async def post_userdata(request: Request) -> Response:
    """Store the file of a form, with its `path` or under its own name; or `{"path", "content"}`, text or JSON."""
    user_of(request)
    async with uploaded_file(request, settings(request).max_json_depth) as given:
        overwrite = _overwrites(request) if given.overwrite is None else given.overwrite
        return await _store(request, _name_of(given), given.content, overwrite=overwrite)


def _name_of(given: UploadedFile) -> str:
    if given.path is None:
        raise ApiError(400, "no_path", "Say where to store the file: a field 'path'")
    return given.path


async def _store(request: Request, name: str, content: Data, *, overwrite: bool) -> Response:
    def stored(files: UserFiles) -> str | dict[str, Any]:
        return _told(request, files, files.write(name, content, overwrite=overwrite))

    return JSONResponse(await _with_files(request, stored))


def _told(request: Request, files: UserFiles, path: str) -> str | dict[str, Any]:
    return _info(files.entry(path)) if _is_on(request, "full_info") else path


@router.delete("/userdata/{file}", summary="Remove a file of the user", status_code=204)
async def delete_file(request: Request) -> Response:
    """Remove a file."""
    name = request.path_params["file"]
    await _with_files(request, lambda files: files.remove(name))
    return Response(status_code=204)


@router.post(
    "/userdata/{file}/move/{target}",
    summary="Rename a file of the user",
    openapi_extra=query_documentation(*_KEPT),
)
async def move_file(request: Request) -> Response:
    """Give a file another name; return it. `overwrite=false` keeps a file that is there (409)."""
    name, target = request.path_params["file"], request.path_params["target"]

    def moved(files: UserFiles) -> str | dict[str, Any]:
        return _told(request, files, files.move(name, target, overwrite=_overwrites(request)))

    return JSONResponse(await _with_files(request, moved))
