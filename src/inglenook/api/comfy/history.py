"""`/history`: what has ended."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import id_list, object_body
from inglenook.api.comfy.entries import escaped, history_entry, history_member
from inglenook.api.deps import CurrentServices, owner, services
from inglenook.api.errors import JSONResponse
from inglenook.api.openapi import IDS, SWITCH, object_documentation
from inglenook.api.parts import ENTRIES_AT_ONCE, ListingResponse
from inglenook.api.query_numbers import any_whole_number
from inglenook.jobs import JobId

router = APIRouter(tags=["comfy"])


def _number_in_query(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "integer"}}


@router.get(
    "/history",
    summary="Finished jobs",
    openapi_extra={
        "parameters": [
            _number_in_query("max_items", "The newest this many"),
            _number_in_query("offset", "Counted from the oldest"),
        ]
    },
)
async def get_history(request: Request) -> Response:
    """Return finished jobs by id, oldest first; 10,000 at most."""
    store, query = services(request).store, request.query_params
    listing = await store.begin_history(
        history_member,
        user=owner(request),
        max_items=any_whole_number(query, "max_items"),
        offset=any_whole_number(query, "offset"),
        at_once=ENTRIES_AT_ONCE,
    )
    return ListingResponse(
        b"{", listing.first, b"}", listing.rest, lambda sequences: store.more_history(history_member, sequences)
    )


@router.get("/history/{prompt_id:path}", summary="One finished job")
async def get_history_entry(request: Request) -> Response:
    """Return `{id: entry}`, or `{}` while the job is unknown, pending or running."""
    server, user = services(request), owner(request)
    job_id = JobId(request.path_params["prompt_id"])
    run = server.dispatcher.find(job_id, user)
    if run is not None:
        if not run.is_committed or run.result is None:
            return JSONResponse(b"{}")
        if not run.is_deleted:
            return JSONResponse(b'{"%b":%b}' % (escaped(job_id), history_entry(run.job, run.result)))
    entry = None if "\0" in job_id else await server.store.finished_run(job_id, user=user)
    return JSONResponse(b"{}" if entry is None else b"{%b}" % history_member(entry))


@router.post("/history", summary="Delete finished jobs", openapi_extra=object_documentation(clear=SWITCH, delete=IDS))
async def post_history(request: Request, server: CurrentServices) -> Response:
    """Take `{"clear": true}` and `{"delete": [ids]}`."""
    body, user = await object_body(request, server.settings.max_json_depth), owner(request)
    ids = id_list(body["delete"]) if "delete" in body else []
    if body.get("clear"):
        await server.store.clear_history(user=user)
        server.dispatcher.history_deleted(None, user)
    if ids:
        await server.store.delete_history([JobId(job_id) for job_id in ids if "\0" not in job_id], user=user)
        server.dispatcher.history_deleted(ids, user)
    return Response()
