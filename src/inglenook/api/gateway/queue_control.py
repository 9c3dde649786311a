"""The queue as a whole: paused, resumed, cleared."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import object_body, refuse_unknown_fields
from inglenook.api.deps import owner, services
from inglenook.api.errors import JSONResponse
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.task_models import Cleared, QueueState

router = APIRouter(prefix="/api", tags=["tasks"])


@router.post("/queue/pause", summary="Start no more tasks", response_model=QueueState, responses=refusals(503))
async def post_pause(request: Request) -> Response:
    """Start nothing until `/api/queue/resume`, also after a restart. What runs goes on; tasks are accepted."""
    await services(request).dispatcher.pause()
    return _state(request)


@router.post("/queue/resume", summary="Start tasks again", response_model=QueueState, responses=refusals(503))
async def post_resume(request: Request) -> Response:
    """Undo `/api/queue/pause`."""
    await services(request).dispatcher.resume()
    return _state(request)


def _state(request: Request) -> Response:
    dispatcher, user = services(request).dispatcher, owner(request)
    running = len(dispatcher.running(user))
    pending = dispatcher.remaining_of(user) - running
    return JSONResponse({"paused": dispatcher.is_paused, "pending": pending, "running": running})


@router.post("/queue/clear", summary="Cancel all pending tasks", response_model=Cleared, responses=refusals(400, 503))
async def post_clear(request: Request) -> Response:
    """Take everything (of the caller) that waits out of the queue; what runs goes on. Fields are refused."""
    refuse_unknown_fields(await object_body(request, services(request).settings.max_json_depth, lenient=True))
    cleared = await services(request).dispatcher.cancel_waiting(None, owner(request))
    return JSONResponse({"cleared": len(cleared)})
