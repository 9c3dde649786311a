"""`/queue`, `/interrupt`, `/free` and `/clear`: what waits and runs, and how to change that."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import id_list, object_body, refuse_unknown_fields
from inglenook.api.comfy.entries import prompt_parts
from inglenook.api.deps import CurrentServices, owner, services
from inglenook.api.errors import JSONResponse
from inglenook.api.openapi import IDS, SWITCH, body_documentation, object_documentation
from inglenook.api.parts import PIECE_BYTES, PartsResponse
from inglenook.dispatch.run import Run

router = APIRouter(tags=["comfy"])


@router.get("/queue", summary="Running and pending jobs")
async def get_queue(request: Request) -> Response:
    """Return `queue_running` and `queue_pending`, pending in the order in which they will run."""
    dispatcher, user = services(request).dispatcher, owner(request)
    parts = [b'{"queue_running":[']
    _append(parts, dispatcher.running(user))
    parts.append(b'],"queue_pending":[')
    _append(parts, dispatcher.waiting(user))
    parts.append(b"]}")
    is_long = sum(map(len, parts)) > PIECE_BYTES
    return PartsResponse(parts) if is_long else JSONResponse(b"".join(parts))


def _append(parts: list[bytes], runs: Sequence[Run]) -> None:
    """Add the entries of jobs, each made once as long as the job waits or runs."""
    first = len(parts)
    for run in runs:
        if run.listed is None:
            before, *after = prompt_parts(run.job)
            run.listed = (b"," + before, *after)
        parts += run.listed
    if runs:
        parts[first] = parts[first][1:]


@router.post(
    "/queue",
    summary="Clear the queue or delete pending jobs",
    openapi_extra=object_documentation(clear=SWITCH, delete=IDS),
)
async def post_queue(request: Request, server: CurrentServices) -> Response:
    """Take `{"clear": true}` and `{"delete": [ids]}`; only pending jobs are touched."""
    body, user = await object_body(request, server.settings.max_json_depth), owner(request)
    ids = id_list(body["delete"]) if "delete" in body else []
    if body.get("clear"):
        await server.dispatcher.cancel_waiting(None, user)
    if ids:
        await server.dispatcher.cancel_waiting(ids, user)
    return Response()


@router.post("/clear", summary="Clear the queue")
async def post_clear(request: Request, server: CurrentServices) -> Response:
    """Remove every pending job; return how many there were as `cleared`. Fields, such as ids, are refused."""
    refuse_unknown_fields(await object_body(request, server.settings.max_json_depth, lenient=True))
    cleared = await server.dispatcher.cancel_waiting(None, owner(request))
    return JSONResponse({"cleared": len(cleared)})


_LENIENT = body_documentation(
    {"description": '`{"prompt_id": id}`, or `{}`; whatever else a body holds means every job'}, required=False
)


@router.post("/interrupt", summary="Stop the running job", openapi_extra=_LENIENT)
async def post_interrupt(request: Request, server: CurrentServices) -> Response:
    """Stop every running job, or only `prompt_id`."""
    body = await object_body(request, server.settings.max_json_depth, lenient=True)
    job_id = body.get("prompt_id")
    server.dispatcher.interrupt(None if job_id is None or job_id == "" else str(job_id), owner(request))
    return Response()


@router.post(
    "/free",
    summary="Unload models and free memory",
    openapi_extra=object_documentation(unload_models=SWITCH, free_memory=SWITCH, interrupt=SWITCH, clear_queue=SWITCH),
)
async def post_free(request: Request, server: CurrentServices) -> Response:
    """Take `unload_models` and `free_memory` (drops the node cache too); `interrupt` and `clear_queue` add the rest."""
    body, user = await object_body(request, server.settings.max_json_depth), owner(request)
    free_memory = bool(body.get("free_memory"))
    server.dispatcher.free(unload_models=bool(body.get("unload_models")) or free_memory, free_memory=free_memory)
    if body.get("clear_queue"):
        await server.dispatcher.cancel_waiting(None, user)
    if body.get("interrupt"):
        server.dispatcher.interrupt(None, user)
    return Response()
