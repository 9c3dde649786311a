"""`/queue`, `/interrupt`, `/free` and `/history`: what waits, runs and has ended, and how to change that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import object_body
from inglenook.api.collection import collection_paused
from inglenook.api.comfy.history import history_entry, prompt_entry
from inglenook.api.deps import CurrentServices, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.parts import PartsResponse, joined_parts
from inglenook.jobs import FinishedJob, Job, JobId

router = APIRouter(tags=["comfy"])

_LONG_QUEUE = 200
_LONG_QUEUE_BYTES = 1 << 20
"""Jobs, and bytes of their graphs, from which on a listing of the queue leaves the event loop."""


@router.get("/queue", summary="Running and pending jobs")
async def get_queue(request: Request) -> Response:
    """Return `queue_running` and `queue_pending`, pending in the order in which they will run."""
    dispatcher = services(request).dispatcher
    running = [run.job for run in dispatcher.running()]
    pending = [run.job for run in dispatcher.waiting()]
    if len(pending) > _LONG_QUEUE or sum(len(job.graph) for job in pending) > _LONG_QUEUE_BYTES:
        return PartsResponse(await asyncio.to_thread(_queue_parts, running, pending))
    return JSONResponse(
        {
            "queue_running": [prompt_entry(job) for job in running],
            "queue_pending": [prompt_entry(job) for job in pending],
        }
    )


def _queue_parts(running: Sequence[Job], pending: Sequence[Job]) -> list[bytes]:
    def encode(job: Job) -> bytes:
        return orjson.dumps(prompt_entry(job), option=orjson.OPT_NON_STR_KEYS)

    return [
        b'{"queue_running":[',
        *joined_parts(running, encode),
        b'],"queue_pending":[',
        *joined_parts(pending, encode),
        b"]}",
    ]


@router.post("/queue", summary="Clear the queue or delete pending jobs")
async def post_queue(request: Request, server: CurrentServices) -> Response:
    """Take `{"clear": true}` and `{"delete": [ids]}`; only pending jobs are touched."""
    body = await _body(request, server)
    if body.get("clear"):
        await server.dispatcher.cancel_waiting()
    if "delete" in body:
        await server.dispatcher.cancel_waiting(_ids(body["delete"]))
    return Response()


@router.post("/interrupt", summary="Stop the running job")
async def post_interrupt(request: Request, server: CurrentServices) -> Response:
    """Stop every running job, or only `prompt_id`."""
    body = await object_body(request, server.settings.max_json_depth, lenient=True)
    job_id = body.get("prompt_id")
    server.dispatcher.interrupt(None if job_id is None or job_id == "" else str(job_id))
    return Response()


@router.post("/free", summary="Unload models and free memory")
async def post_free(request: Request, server: CurrentServices) -> Response:
    """Take `unload_models` and `free_memory` (drops the node cache too); `interrupt` and `clear_queue` add the rest."""
    body = await _body(request, server)
    free_memory = bool(body.get("free_memory"))
    server.dispatcher.free(unload_models=bool(body.get("unload_models")) or free_memory, free_memory=free_memory)
    if body.get("clear_queue"):
        await server.dispatcher.cancel_waiting()
    if body.get("interrupt"):
        server.dispatcher.interrupt()
    return Response()


@router.get("/history", summary="Finished jobs")
async def get_history(
    server: CurrentServices,
    max_items: Annotated[str | None, Query(description="The newest this many")] = None,
    offset: Annotated[str | None, Query(description="Counted from the oldest")] = None,
) -> Response:
    """Return finished jobs by id, oldest first."""
    with collection_paused(is_long=True):  # 617 entries with workflows of 250 nodes: stalls of 0.02 s instead of 0.15 s
        entries = await server.store.history(_whole("max_items", max_items), _whole("offset", offset))
        parts = await asyncio.to_thread(joined_parts, entries, _history_member)
        del entries
    return PartsResponse([b"{", *parts, b"}"])


def _history_member(entry: FinishedJob) -> bytes:
    encoded = orjson.dumps(history_entry(entry.job, entry.result), option=orjson.OPT_NON_STR_KEYS)
    return orjson.dumps(entry.job.id) + b":" + encoded


@router.get("/history/{prompt_id:path}", summary="One finished job")
async def get_history_entry(request: Request) -> Response:
    """Return `{id: entry}`, or `{}` while the job is unknown, pending or running."""
    server = services(request)
    job_id = request.path_params["prompt_id"]
    run = server.dispatcher.find(job_id)
    if run is not None:
        if not run.is_committed or run.result is None:
            return JSONResponse(b"{}")
        if not run.is_deleted:
            return JSONResponse({job_id: history_entry(run.job, run.result)})
    entry = await server.store.history_entry(JobId(job_id))
    return JSONResponse(b"{}" if entry is None else {job_id: history_entry(entry.job, entry.result)})


@router.post("/history", summary="Delete finished jobs")
async def post_history(request: Request, server: CurrentServices) -> Response:
    """Take `{"clear": true}` and `{"delete": [ids]}`."""
    body = await _body(request, server)
    if body.get("clear"):
        await server.store.clear_history()
        server.dispatcher.history_deleted(None)
    if "delete" in body:
        ids = _ids(body["delete"])
        await server.store.delete_history([JobId(job_id) for job_id in ids])
        server.dispatcher.history_deleted(ids)
    return Response()


async def _body(request: Request, server: CurrentServices) -> dict[str, Any]:
    return await object_body(request, server.settings.max_json_depth)


def _ids(value: Any) -> list[str]:
    if not isinstance(value, list) or any(isinstance(item, (dict, list)) for item in value):
        raise ApiError(400, "invalid_request", "delete must be a list of ids", orjson.dumps(value).decode()[:200])
    return [str(item) for item in value]


def _whole(name: str, value: str | None) -> int | None:
    if value is None or value == "":
        return None
    try:
        number = int(value)
    except ValueError as error:
        raise ApiError(400, "invalid_request", f"{name} must be an integer", value[:100]) from error
    return max(min(number, 2**31), -(2**31))
