"""`/api/jobs`: everything that waits, runs and has ended in one list, and `/prompt/{id}`, one job in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import json_body
from inglenook.api.comfy.entries import SHORT_STATUS, shown_outputs
from inglenook.api.comfy.job_entries import STATUS, listed_entry, whole_entry, workflow_of
from inglenook.api.deps import CurrentServices, Services, owner, services
from inglenook.api.errors import ApiError, JSONResponse, error_response
from inglenook.api.openapi import TEXT, object_documentation
from inglenook.api.parts import ENTRIES_AT_ONCE, ListingResponse
from inglenook.api.submission import repairs_of
from inglenook.jobs import FinishedJob, Job, JobFilter, JobId, ListedJob, Page, State

router = APIRouter(tags=["comfy"])

_STATUSES = tuple(dict.fromkeys(STATUS.values()))
_LARGEST = 2**31


class BadQuery(Exception):
    """A parameter that the listing refuses; the text is the answer."""


def _parameter(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string", **schema}}


_PARAMETERS = [
    _parameter(
        "status",
        f"Any of {', '.join(_STATUSES)}, comma-separated",
        pattern=f"^(({'|'.join(_STATUSES)})(,({'|'.join(_STATUSES)}))*)?$",
    ),
    _parameter("workflow_id", "Jobs of this UI workflow"),
    _parameter("sort_by", "Order", enum=["created_at", "execution_duration", ""], default="created_at"),
    _parameter("sort_order", "Direction", enum=["asc", "desc", ""], default="desc"),
    _parameter("limit", "At most this many", type="integer", minimum=1),
    _parameter("offset", "Skip this many", type="integer", default=0),
]


@router.get("/jobs", summary="Jobs in any state", openapi_extra={"parameters": _PARAMETERS})
async def get_jobs(request: Request) -> Response:
    """Return a page of jobs, newest first by default, and how many match in all."""
    store, waiting_there = services(request).store, services(request).dispatcher.waiting_there()
    there = frozenset(run.job.id for run in waiting_there)

    def entry(listed: ListedJob) -> bytes:
        """For the store a job runs as soon as a server has it in its queue."""
        is_pending = listed.job.id in there and listed.job.state is State.running
        if is_pending:
            listed = replace(listed, job=replace(listed.job, state=State.queued, started_ms=None))
        return listed_entry(listed)

    try:
        job_filter, page = _filter(request.query_params, owner(request)), _page(request.query_params)
    except BadQuery as refused:
        return JSONResponse({"error": str(refused)}, status_code=400)
    await services(request).dispatcher.claimed()
    listing = await store.begin_listing(entry, job_filter, page, at_once=ENTRIES_AT_ONCE)
    shown = page.offset + len(listing.first) + len(listing.rest)
    pagination = {
        "offset": page.offset,
        "limit": page.limit,
        "total": listing.total,
        "has_more": shown < listing.total and bool(listing.first),
    }
    return ListingResponse(
        b'{"jobs":[',
        listing.first,
        b'],"pagination":%b}' % orjson.dumps(pagination),
        listing.rest,
        lambda sequences: store.more_listed(entry, sequences),
    )


def _filter(query: Mapping[str, str], user: str | None) -> JobFilter:
    asked = [status.strip().lower() for status in query.get("status", "").split(",") if status.strip()]
    if unknown := [status for status in asked if status not in _STATUSES]:
        named = ", ".join(status[:100] for status in unknown[:10])
        raise BadQuery(f"Invalid status value(s): {named}. Valid values: {', '.join(_STATUSES)}")
    states = frozenset(state for state, status in STATUS.items() if status in asked) if asked else None
    return JobFilter(user, states, query.get("workflow_id") or None, with_removed=False)


def _page(query: Mapping[str, str]) -> Page:
    sort_by = query.get("sort_by") or "created_at"
    if sort_by not in ("created_at", "execution_duration"):
        raise BadQuery("sort_by must be 'created_at' or 'execution_duration'")
    sort_order = (query.get("sort_order") or "desc").lower()
    if sort_order not in ("asc", "desc"):
        raise BadQuery("sort_order must be 'asc' or 'desc'")
    limit, offset = _whole(query, "limit"), _whole(query, "offset")
    if limit is not None and limit <= 0:
        raise BadQuery("limit must be a positive integer")
    return Page("created" if sort_by == "created_at" else "duration", sort_order == "desc", limit, max(0, offset or 0))


def _whole(query: Mapping[str, str], name: str) -> int | None:
    given = query.get(name)
    if given is None or given == "":
        return None
    try:
        return max(-_LARGEST, min(_LARGEST, int(given)))
    except ValueError as error:
        raise BadQuery(f"{name} must be an integer") from error


@router.get("/jobs/{job_id:path}", summary="One job with its workflow")
async def get_job(request: Request) -> Response:
    """Return a job with its workflow and, when it has ended, its outputs; 404 for one that is not known."""
    found = await find_job(services(request), request.path_params["job_id"], owner(request))
    if found is None or _is_removed(*found):
        return JSONResponse({"error": "Job not found"}, status_code=404)
    job, finished = found
    return JSONResponse(whole_entry(job, workflow_of(job), finished))


@router.get("/prompt/{prompt_id:path}", summary="State of one job")
async def get_prompt_state(request: Request) -> Response:
    """Return `status` (pending, running, success, error, cancelled, timeout), times, outputs and error of a job.

    `repairs` tells what was changed in its workflow when it was submitted, if anything.
    """
    prompt_id = request.path_params["prompt_id"]
    found = await find_job(services(request), prompt_id, owner(request))
    if found is None:
        return error_response(404, "not_found", "There is no job with this id", prompt_id[:200])
    job, finished = found
    entry: dict[str, Any] = {
        "id": job.id,
        "prompt_id": job.id,
        "status": SHORT_STATUS[job.state],
        "number": job.number,
        "create_time": job.created_ms,
        "execution_start_time": job.started_ms,
        "execution_end_time": job.ended_ms,
        "outputs": {} if finished is None else shown_outputs(finished.result),
        "error": None if finished is None else finished.result.error,
    }
    repairs = repairs_of(job)
    return JSONResponse({**entry, "repairs": repairs} if repairs else entry)


def _is_removed(job: Job, finished: FinishedJob | None) -> bool:
    """Whether a job was taken out of the queue before it ran."""
    return job.state.is_end and finished is None


async def find_job(server: Services, job_id: str, user: str | None) -> tuple[Job, FinishedJob | None] | None:
    """A job in any state, with its result when that is committed."""
    run = server.dispatcher.find(job_id, user)
    if run is not None and not run.is_deleted:
        if run.result is None:
            return run.job, None
        if run.is_committed:
            return run.job, FinishedJob(run.job, run.result)
        return _as_running(run.job), None
    if "\0" in job_id:
        return None
    finished = await server.store.history_entry(JobId(job_id))
    if finished is not None:
        return None if user is not None and finished.job.user != user else (finished.job, finished)
    job = await server.store.get(JobId(job_id))
    return None if job is None or (user is not None and job.user != user) else (job, None)


def _as_running(job: Job) -> Job:
    """A job whose end is not committed yet, as it was before."""
    return replace(job, state=State.running, ended_ms=None)


@router.post(
    "/jobs/cancel",
    summary="Cancel several jobs",
    openapi_extra=object_documentation(
        required=True, needs=["job_ids"], job_ids={"type": "array", "items": {**TEXT, "minLength": 1}}
    ),
)
async def cancel_jobs(request: Request, server: CurrentServices) -> Response:
    """Take `{"job_ids": [...]}`; return whether any was pending or running."""
    try:
        body = await json_body(request, server.settings.max_json_depth)
    except ApiError as error:
        if error.status != 400:
            raise
        return JSONResponse({"error": "Request body must be valid JSON"}, status_code=400)
    ids = body.get("job_ids") if isinstance(body, dict) else None
    if not isinstance(ids, list):
        return JSONResponse({"error": "job_ids must be a list"}, status_code=400)
    if invalid := [job_id for job_id in ids if not isinstance(job_id, str) or not job_id]:
        refusal = {"error": "job_ids contains invalid id(s)", "invalid_ids": invalid[:100]}
        return JSONResponse(refusal, status_code=400)
    return JSONResponse({"cancelled": await _cancel(server, ids, owner(request))})


@router.post("/jobs/{job_id:path}/cancel", summary="Cancel one job")
async def cancel_job(request: Request, server: CurrentServices) -> Response:
    """Remove a pending job, interrupt a running one; `cancelled` is false for others."""
    return JSONResponse({"cancelled": await _cancel(server, [request.path_params["job_id"]], owner(request))})


async def _cancel(server: Services, ids: list[str], user: str | None) -> bool:
    removed = await server.dispatcher.cancel_waiting(ids, user)
    wanted = frozenset(ids)
    running = [run.job.id for run in server.dispatcher.running(user) if run.job.id in wanted]
    interrupted = [server.dispatcher.interrupt(job_id, user) for job_id in running]
    return bool(removed) or any(interrupted)
