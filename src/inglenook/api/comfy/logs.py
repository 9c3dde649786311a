"""`/internal/logs`: what the server and its nodes have printed lately. Bare only, as with ComfyUI.

Where keys are asked for, these need the scope `admin` (`access/scopes.py`): any job may have printed anything.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import json_body
from inglenook.api.deps import owner, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.log_feed import as_text, logs_event
from inglenook.api.openapi import FLAG, TEXT, object_documentation

router = APIRouter(tags=["comfy"])


@router.get("/internal/logs", summary="The last log lines as one text")
async def get_logs(request: Request) -> Response:
    """Return a JSON string of lines `<ISO time> - <message>`."""
    return JSONResponse(as_text(services(request).sockets.logs.entries()))


@router.get("/internal/logs/raw", summary="The last log lines one by one")
async def get_raw_logs(request: Request) -> Response:
    """Return `{"entries": [{"t": <ISO time>, "m": <text>}], "size": {"cols", "rows"}}`, the last 300."""
    return JSONResponse(logs_event(services(request).sockets.logs.entries()))


@router.patch(
    "/internal/logs/subscribe",
    summary="Have new log lines sent to a socket, or no longer",
    openapi_extra=object_documentation(
        required=True, needs=["clientId", "enabled"], clientId={**TEXT, "minLength": 1}, enabled=FLAG
    ),
)
async def subscribe(request: Request) -> Response:
    """Take `{"clientId": <sid>, "enabled": <bool>}`; 200 for an id without a socket, too. New lines come as `logs`."""
    server = services(request)
    body = await json_body(request, server.settings.max_json_depth)
    sid, enabled = (body.get("clientId"), body.get("enabled")) if isinstance(body, dict) else (None, None)
    if not isinstance(sid, str) or not sid:
        raise ApiError(400, "invalid_request", "clientId must be the id of a socket, a string")
    if not isinstance(enabled, bool):
        raise ApiError(400, "invalid_request", "enabled must be true or false")
    server.sockets.show_logs(owner(request), sid, enabled=enabled)
    return Response(status_code=200)
