"""`/keys`: the keys of this server for those who have one with the scope `admin`; the same as `inglenook keys`.

The first key is made on the server itself: where none is needed yet, whoever is served might lock out everybody else.
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.access.keyfile import LONGEST_NAME, KeyFileError
from inglenook.api.access.keyring import KeyRing, described
from inglenook.api.access.scopes import Scope
from inglenook.api.bodies import object_body, refuse_unknown_fields
from inglenook.api.deps import services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.openapi import TEXT, object_documentation

router = APIRouter(tags=["inglenook"])


@router.get("/keys", summary="API keys")
async def get_keys(request: Request) -> Response:
    """Return `{"keys": [{"id", "name", "scope", "user", "created", "last_used", "revoked"}]}`."""
    ring = services(request).keys
    return JSONResponse({"keys": [described(key, ring.last_used(key.id)) for key in ring.keys]})


@router.post(
    "/keys",
    summary="Make an API key",
    status_code=201,
    openapi_extra=object_documentation(
        required=True,
        needs=["name"],
        name={**TEXT, "minLength": 1, "maxLength": LONGEST_NAME},
        scope={"enum": [scope.label for scope in Scope]},
        user={"type": ["string", "null"], "minLength": 1, "maxLength": 200},
    ),
)
async def post_key(request: Request) -> Response:
    """Take `name`, `scope` (`read`, `run`, `admin`; `run` without it) and `user`; 201 with `key`, shown only now."""
    ring = _ring_in_use(request)
    body = await object_body(request, services(request).settings.max_json_depth)
    refuse_unknown_fields(body, "name", "scope", "user")
    name, label, user = body.get("name"), body.get("scope", Scope.RUN.label), body.get("user")
    if not isinstance(name, str):
        raise ApiError(400, "invalid_request", "name must be text")
    if not isinstance(label, str) or label not in [scope.label for scope in Scope]:
        raise ApiError(400, "invalid_request", "scope must be read, run or admin", repr(label)[:100])
    if user is not None and not isinstance(user, str):
        raise ApiError(400, "invalid_request", "user must be the id of a user")
    try:
        key, text = await asyncio.to_thread(ring.file.add, name, Scope.of(label), user)
    except KeyFileError as error:
        raise ApiError(400, "invalid_request", str(error)) from None
    ring.reload()
    return JSONResponse({**described(key, None), "key": text}, status_code=201, headers={"Cache-Control": "no-store"})


@router.delete("/keys/{key_id}", summary="Revoke an API key", status_code=204)
async def delete_key(request: Request, key_id: str) -> Response:
    """Revoke the live key with this id or name; what it has opened is closed. 204, or 404."""
    ring = _ring_in_use(request)
    try:
        await asyncio.to_thread(ring.file.revoke, key_id)
    except KeyFileError as error:
        raise ApiError(404, "not_found", str(error)) from None
    ring.reload()
    return Response(status_code=204)


def _ring_in_use(request: Request) -> KeyRing:
    ring = services(request).keys
    if not ring.is_needed:
        text = "The first key is made on the server: inglenook keys add NAME"
        raise ApiError(403, "no_keys", "This server needs no key yet", text)
    return ring
