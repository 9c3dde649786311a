"""Tasks: one, a page of them, and how to cancel, repeat and remove them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query
from pydantic import WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.comfy.entries import SHORT_STATUS
from inglenook.api.comfy.jobs import find_job
from inglenook.api.deps import Services, owner, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.gateway.output_files import remove_outputs
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.submitting import accepted
from inglenook.api.gateway.task_models import Accepted, Cancelled, Deleted, ListedTask, Task
from inglenook.api.gateway.task_views import listed_task, whole_task
from inglenook.api.gateway.workflow_submit import accepted_response
from inglenook.api.preparation import prepare
from inglenook.api.submission import OWN_KEY, PromptRefused, Submitted, at_once, id_of_key, notes_of
from inglenook.jobs import Added, Conflict, FinishedJob, Job, JobFilter, JobId, Page, State

router = APIRouter(prefix="/api", tags=["tasks"])

_STATES = {status: state for state, status in SHORT_STATUS.items()}
_LIMIT = 50
_MOST = 500
_LONGEST_SEARCH = 200
_LARGE_BYTES = 50_000
_STATUS = f"({'|'.join(_STATES)})"
_Statuses = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^({_STATUS}(,{_STATUS})*)?$"})]


@router.get(
    "/tasks",
    summary="Tasks, newest first",
    response_model=list[ListedTask],
    responses={
        200: {"headers": {"X-Total-Count": {"description": "All that match", "schema": {"type": "integer"}}}},
        **refusals(422, 503),
    },
)
async def get_tasks(
    request: Request,
    status: Annotated[
        list[_Statuses] | None, Query(description=f"Any of {', '.join(_STATES)}, comma-separated")
    ] = None,
    search: Annotated[
        str | None, Query(max_length=_LONGEST_SEARCH, description="Part of an id, client id or workflow")
    ] = None,
    workflow: Annotated[
        str | None,
        Query(
            max_length=_LONGEST_SEARCH,
            description="Name of a stored workflow (`.json` may be left out) or id of the editor's",
        ),
    ] = None,
    sort: Annotated[Literal["created", "duration"], Query()] = "created",
    order: Annotated[Literal["desc", "asc"], Query()] = "desc",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _LIMIT,
) -> Response:
    """Return a page of tasks as an array; the header `X-Total-Count` says how many match in all."""
    server = services(request)
    job_filter = JobFilter(
        user=owner(request),
        states=_states(status or []),
        search=_storable(search),
        workflow=_storable(workflow),
    )
    part = Page(sort, order == "desc", limit, (page - 1) * limit)
    await server.dispatcher.claimed()
    found = await server.store.list_jobs(job_filter, part)
    entries = [await listed_task(server, listed) for listed in found.jobs]
    return JSONResponse(entries, headers={"X-Total-Count": str(found.total)})


def _states(given: Sequence[str]) -> frozenset[State] | None:
    asked = [name.strip() for text in given for name in text.split(",") if name.strip()]
    if not asked:
        return None
    if unknown := [name[:100] for name in asked if name not in _STATES]:
        choices = [{"parameter": "status", "message": f"unknown: {', '.join(unknown[:10])}", "choices": [*_STATES]}]
        raise ApiError(422, "invalid_request", "The request does not fit this route", choices)
    return frozenset(_STATES[name] for name in asked)


def _storable(text: str | None) -> str | None:
    """A text that databases take."""
    if text is not None and "\0" in text:
        raise ApiError(422, "invalid_request", "A text of the query contains NUL")
    return text or None


async def known_task(server: Services, task_id: str, user: str | None) -> tuple[Job, FinishedJob | None]:
    """A task of a user in any state. Raises ApiError 404."""
    found = await find_job(server, task_id, user)
    if found is None:
        raise ApiError(404, "not_found", "There is no task with this id", task_id[:200])
    return found


# -- what is done with one task ----------------------------------------------------------------------------------------


@router.post(
    "/task/{task_id:path}/cancel",
    summary="Cancel a task",
    response_model=Cancelled,
    responses=refusals(404, 409, 503),
)
async def post_cancel(request: Request, task_id: str) -> Response:
    """Take a pending task out of the queue, or stop a running one; 409 for one that has ended."""
    return await _cancel(request, task_id)


@router.post(
    "/interrupt/{prompt_id:path}",
    summary="Cancel a task by its prompt id",
    response_model=Cancelled,
    responses=refusals(404, 409, 503),
)
async def post_interrupt(request: Request, prompt_id: str) -> Response:
    """The same as `/api/task/{task_id}/cancel`."""
    return await _cancel(request, prompt_id)


async def _cancel(request: Request, task_id: str) -> Response:
    server, user = services(request), owner(request)
    if await server.dispatcher.cancel_waiting([task_id], user):
        status = "cancelled"
    elif server.dispatcher.interrupt(task_id, user):
        status = "running"
    else:
        job, _finished = await known_task(server, task_id, user)
        if not job.state.is_end:  # its end is being written
            raise ApiError(409, "already_ended", "The task has just ended", task_id[:200])
        raise ApiError(409, "already_ended", f"The task has ended: {SHORT_STATUS[job.state]}", task_id[:200])
    return JSONResponse({"task_id": task_id, "prompt_id": task_id, "status": status, "cancelled": True})


@router.post(
    "/task/{task_id:path}/retry",
    summary="Run a task again",
    status_code=202,
    response_model=Accepted,
    responses={
        200: {"model": Accepted, "description": "The task of this Idempotency-Key, accepted before"},
        **refusals(400, 404, 409, 429, 503, 507),
    },
)
async def post_retry(request: Request, task_id: str) -> Response:
    """Make a new task of the graph of one that has ended: the same values and seeds, another id."""
    server, user = services(request), owner(request)
    job, _finished = await known_task(server, task_id, user)
    if not job.state.is_end:
        raise ApiError(409, "not_ended", "The task has not ended yet", SHORT_STATUS[job.state])
    key = request.headers.get("idempotency-key")
    try:
        return accepted_response(accepted(server, await _again(server, job, key)))
    except PromptRefused as refused:
        return refused.response()


async def _again(server: Services, job: Job, key: str | None) -> Submitted:
    document, do = orjson.loads(job.graph), asyncio.to_thread if len(job.graph) > _LARGE_BYTES else at_once
    prepared = await prepare(server, document, list(job.targets), do, strict=True, user=job.user)
    now = time.time_ns() // 1_000_000
    extra_data = {**job.all_extra_data(), "create_time": now}
    extra_data[OWN_KEY] = {**notes_of(job), "retry_of": job.id}
    new = replace(
        job,
        id=id_of_key(key, job.user) if key else JobId(str(uuid.uuid4())),
        number=server.dispatcher.next_number(),
        created_ms=now,
        extra_data=extra_data,
        extra_json=orjson.dumps(extra_data),
        state=State.queued,
        started_ms=None,
        ended_ms=None,
        attempt=0,
        worker=None,
        server_deaths=0,
        worker_deaths=0,
    )
    outcome = await server.dispatcher.submit(new, prepared.needs, {}, ask_validators=prepared.ask_validators)
    if isinstance(outcome, Conflict):
        raise ApiError(409, "prompt_id_conflict", "Another task was accepted under this Idempotency-Key", new.id)
    return Submitted(outcome.job, isinstance(outcome, Added), {})


@router.get(
    "/task/{task_id:path}",
    summary="State and results of a task",
    response_model=Task,
    responses=refusals(404, 503),
)
async def get_task(request: Request, task_id: str) -> Response:
    """Return where a task stands, and when it has ended, what it made or why it failed.

    `outputs` is ComfyUI's object by node; `results` the same as a list with kind and address of each file.
    """
    server = services(request)
    job, finished = await known_task(server, task_id, owner(request))
    entry = await whole_task(server, job, finished)
    return JSONResponse(entry)


@router.delete(
    "/task/{task_id:path}",
    summary="Remove a task",
    response_model=Deleted,
    responses=refusals(404, 409, 422, 503),
)
async def delete_task(
    request: Request,
    task_id: str,
    files: Annotated[bool, Query(description="Remove the files that it wrote, too")] = False,
) -> Response:
    """Remove a task that waits or has ended from the history; 409 for one that runs.

    Files that another task shows as its own as well (of a node that was cached) stay.
    """
    server, user = services(request), owner(request)
    await server.dispatcher.cancel_waiting([task_id], user)
    job, finished = await known_task(server, task_id, user)
    if not job.state.is_end:
        raise ApiError(409, "not_ended", "The task runs: cancel it first", SHORT_STATUS[job.state])
    removed: list[dict[str, Any]] = []
    if files and finished is not None:
        removed = await remove_outputs(server, job.id, finished.result.outputs)
    await server.store.remove_ended(JobId(job.id), user=user)
    server.dispatcher.history_deleted([job.id], user)
    return JSONResponse({"task_id": job.id, "deleted": True, "files": removed})
