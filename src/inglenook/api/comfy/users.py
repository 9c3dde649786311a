"""`/users`, `/settings`: who uses the server, and what the editor keeps for each."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.access.scopes import Scope, scope_of
from inglenook.api.bodies import json_body, object_body
from inglenook.api.deps import settings, users
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.identity import IS_BOUND, user_of
from inglenook.api.openapi import TEXT, body_documentation, object_documentation
from inglenook.api.segments import segment_router
from inglenook.media.json_file import JsonFile
from inglenook.media.paths import is_utf8
from inglenook.media.users import DEFAULT_USER, UserRefused

router = segment_router("users")


@router.get("/users", summary="Who uses the server")
async def get_users(request: Request) -> Response:
    """Return the names of all users by id; with a single one, whether it has a folder yet."""
    if settings(request).multi_user:
        return JSONResponse({"storage": "server", "users": _visible(request)})
    folder = users(request).files(DEFAULT_USER).root
    return JSONResponse({"storage": "server", "migrated": await asyncio.to_thread(folder.is_dir)})


def _visible(request: Request) -> dict[str, str]:
    """All users, or the one whose key this is: a guest need not know who else there is."""
    names = users(request).names()
    if not request.scope.get(IS_BOUND) or scope_of(request) >= Scope.ADMIN:
        return names
    user_id = user_of(request)
    return {user_id: names.get(user_id, user_id)}


@router.post(
    "/users",
    summary="Add a user",
    openapi_extra=object_documentation(required=True, needs=["username"], username={**TEXT, "minLength": 1}),
)
async def post_users(request: Request) -> Response:
    """Add `{"username": text}`; return the new id."""
    body = await object_body(request, settings(request).max_json_depth)
    name = body.get("username")
    if not isinstance(name, str):
        return _refused("The username must be text.")
    try:
        return JSONResponse(orjson.dumps(await asyncio.to_thread(users(request).add, name)))
    except UserRefused as error:
        return _refused(str(error))


@router.delete("/users/{user_id}", summary="Remove a user", status_code=204)
async def delete_user(request: Request) -> Response:
    """Take a user off the list. The files stay in the user's folder; `default` cannot be removed."""
    user_id = request.path_params["user_id"]
    try:
        found = await asyncio.to_thread(users(request).remove, user_id)
    except UserRefused as error:
        return _refused(str(error))
    if not found:
        raise ApiError(404, "not_found", "There is no such user")
    return Response(status_code=204)


def _refused(text: str) -> Response:
    """ComfyUI's shape of this error."""
    return JSONResponse({"error": text}, status_code=400)


# Settings


@router.get("/settings", summary="What the editor keeps for the user")
async def get_settings(request: Request) -> Response:
    """Return all settings of the user."""
    return JSONResponse(await asyncio.to_thread(_read, request))


@router.get("/settings/{setting_id}", summary="One setting")
async def get_setting(request: Request) -> Response:
    """Return its value, `null` when it was never set."""
    value = (await asyncio.to_thread(_read, request)).get(request.path_params["setting_id"])
    return JSONResponse(orjson.dumps(value))


@router.post("/settings", summary="Change settings", openapi_extra=object_documentation())
async def post_settings(request: Request) -> Response:
    """Merge the object in the body into the settings of the user."""
    user_of(request)
    changes = await object_body(request, settings(request).max_json_depth)
    return await _merge(request, changes)


@router.post(
    "/settings/{setting_id}",
    summary="Change one setting",
    openapi_extra=body_documentation({"description": "Any JSON value"}),
)
async def post_setting(request: Request) -> Response:
    """Set it to the JSON value in the body."""
    user_of(request)
    setting_id = request.path_params["setting_id"]
    if not is_utf8(setting_id):
        raise ApiError(400, "invalid_id", "The id of the setting is not valid text")
    value = await json_body(request, settings(request).max_json_depth)
    return await _merge(request, {setting_id: value})


def _file(request: Request) -> JsonFile:
    return users(request).settings(user_of(request))


def _read(request: Request) -> dict[str, Any]:
    return {**_file(request).read()}


async def _merge(request: Request, changes: dict[str, Any]) -> Response:
    await asyncio.to_thread(lambda: _file(request).update(lambda known: known.update(changes)))
    return Response()
