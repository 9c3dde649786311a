"""`/workflow_templates`: workflows that node packs bring as examples, and a library of the server's own.

The library shows itself as one more pack, `inglenook`, so that the editor offers its templates, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import object_body
from inglenook.api.comfy.file_response import FileAnswer, answer_with_file
from inglenook.api.comfy.pack_files import files_in, pack_folders
from inglenook.api.deps import Services, services, settings
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.openapi import ANY_OBJECT, TEXT, body_documentation, query_documentation
from inglenook.api.segments import segment_router
from inglenook.errors import UnsafePath
from inglenook.media import paths
from inglenook.media.template_library import TemplateLibrary

router = segment_router("comfy")

Result = TypeVar("Result")

LIBRARY = "inglenook"
"""The name under which the library stands among the packs."""

_FOLDERS = ("example_workflows", "example", "examples", "workflow", "workflows")
"""Where packs keep their templates, the usual place first."""


def _library(request: Request) -> TemplateLibrary:
    return TemplateLibrary(settings(request).data_folder / "workflow_templates")


async def _with_library(request: Request, work: Callable[[TemplateLibrary], Result]) -> Result:
    """What `work` makes of the library, in a thread. Raises ApiError 404, 409."""
    try:
        return await asyncio.to_thread(work, _library(request))
    except FileNotFoundError:
        raise ApiError(404, "not_found", "There is no such template") from None
    except FileExistsError:
        raise ApiError(409, "template_exists", "There is a template of that name") from None


@router.get("/workflow_templates", summary="Templates by pack")
async def get_templates(request: Request) -> Response:
    """Return the names of the templates of each pack, those of the library under `inglenook`."""
    return JSONResponse(await asyncio.to_thread(_templates, services(request), _library(request)))


def _templates(server: Services, library: TemplateLibrary) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pack, root in pack_folders(server).items():
        names = {Path(file.path).stem: None for folder in _FOLDERS for file in files_in(pack, root, folder, ".json")}
        if names:
            found[pack] = [*names]
    if own := library.names():
        found[LIBRARY] = [*dict.fromkeys((*own, *found.get(LIBRARY, ())))]
    return found


@router.get("/workflow_templates/{pack}/{path:path}", summary="A template of a pack, or its picture")
async def get_template_file(request: Request) -> Response:
    """Send `<name>.json` or `<name>.jpg`."""
    pack, path = request.path_params["pack"], request.path_params["path"]
    answer = await asyncio.to_thread(_file, request, pack, path)
    if answer is None:
        text = f"The pack {pack[:100]!r} has no template {path[:100]!r}"
        # Not for long: a template of the library may get its picture any time.
        raise ApiError(404, "not_found", text, headers={"Cache-Control": "no-cache"})
    return answer.response()


def _file(request: Request, pack: str, path: str) -> FileAnswer | None:
    places = [_library(request).folder] if pack == LIBRARY else []
    root = pack_folders(services(request)).get(pack)
    if root is not None:
        places += [root / folder for folder in _FOLDERS]
    for place in places:
        try:
            if any(part.startswith(".") for part in paths.parts(path)):
                return None
            found = paths.resolve(place, path)
            if found.is_file():
                return answer_with_file(found, request.headers)
        except (UnsafePath, OSError):
            continue
    return None


# The library

_NAME = query_documentation(("name", "where the body does not say it", {"type": "string", "minLength": 1}))
_TAKEN = {
    "anyOf": [
        {
            "type": "object",
            "properties": {"name": {**TEXT, "minLength": 1}, "workflow": {**ANY_OBJECT, "minProperties": 1}},
            "required": ["workflow"],
            "additionalProperties": False,
        },
        {**ANY_OBJECT, "minProperties": 1, "description": "The workflow itself"},
    ]
}
_GIVEN = body_documentation(_TAKEN)
_NEW: dict[int | str, dict[str, Any]] = {201: {"description": "There was none of this name"}}


@router.get("/workflow_templates/{name}", summary="A template of the library")
async def get_template(request: Request) -> Response:
    """Return the workflow."""
    name = request.path_params["name"]
    return JSONResponse(await _with_library(request, lambda library: library.read(name)))


@router.post(
    "/workflow_templates",
    summary="Add a template to the library",
    status_code=201,
    openapi_extra={**_NAME, **_GIVEN},
)
async def post_template(request: Request) -> Response:
    """Add `{"name", "workflow"}`, or the workflow in the body as `?name=`; 409 when the name is taken."""
    name, workflow = await _given(request)
    await _with_library(request, lambda library: library.add(name, workflow))
    return _kept(name, is_new=True)


@router.put(
    "/workflow_templates",
    summary="Add or replace a template of the library",
    responses=_NEW,
    openapi_extra={**_NAME, **_GIVEN},
)
@router.put(
    "/workflow_templates/{name}",
    summary="Add or replace a template of the library",
    responses=_NEW,
    openapi_extra=_GIVEN,
)
async def put_template(request: Request) -> Response:
    """Keep a workflow, given as to POST, under its name."""
    name, workflow = await _given(request)
    return _kept(name, is_new=await _with_library(request, lambda library: library.put(name, workflow)))


@router.delete(
    "/workflow_templates",
    summary="Remove a template from the library",
    status_code=204,
    openapi_extra={
        **_NAME,
        **body_documentation({"description": '`{"name": text}`, where the address has no name'}, required=False),
    },
)
@router.delete("/workflow_templates/{name}", summary="Remove a template from the library", status_code=204)
async def delete_template(request: Request) -> Response:
    """Remove the template that the address, `?name=`, or `{"name"}` in the body names."""
    name = _named(request)
    if name is None:
        name = (await object_body(request, settings(request).max_json_depth)).get("name")
    if not isinstance(name, str):
        raise _nameless()
    given = name
    await _with_library(request, lambda library: library.remove(given))
    return Response(status_code=204)


async def _given(request: Request) -> tuple[str, bytes]:
    """Name and workflow. Raises ApiError 400."""
    body = await object_body(request, settings(request).max_json_depth)
    is_wrapped = isinstance(body.get("workflow"), dict) and body.keys() <= {"name", "workflow"}
    name = _named(request)
    if name is None and is_wrapped:
        name = body.get("name")
    workflow: dict[str, Any] = body["workflow"] if is_wrapped else body
    if not isinstance(name, str):
        raise _nameless()
    if not workflow:
        raise ApiError(400, "no_workflow", "There is no workflow", 'Send {"name": text, "workflow": object}')
    return name, orjson.dumps(workflow, option=orjson.OPT_INDENT_2)


def _named(request: Request) -> str | None:
    """The name that the address has."""
    name: str | None = request.path_params.get("name", request.query_params.get("name"))
    return name


def _nameless() -> ApiError:
    return ApiError(400, "no_name", "The template has no name", 'Send {"name": text, "workflow": object}')


def _kept(name: str, *, is_new: bool) -> Response:
    name = name.removesuffix(".json")
    url = f"/api/workflow_templates/{LIBRARY}/{quote(name, safe='')}.json"
    return JSONResponse({"name": name, "pack": LIBRARY, "url": url}, status_code=201 if is_new else 200)
