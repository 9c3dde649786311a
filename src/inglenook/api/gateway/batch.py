"""`/api/batch`: one workflow with many sets of values, accepted together or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import json_body
from inglenook.api.comfy.entries import SHORT_STATUS
from inglenook.api.deps import Services, owner, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.gateway.batch_requests import BatchRequest, sets_of
from inglenook.api.gateway.parsing import parsed
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.submitting import TaskRequest, make_task, webhooks_of, with_document
from inglenook.api.gateway.task_models import BatchAccepted, BatchState, CancelledBatch, inline_schema
from inglenook.api.gateway.task_views import progress_of
from inglenook.api.gateway.workflow_submit import task_options
from inglenook.api.identity import user_of
from inglenook.api.submission import NewJob, PromptRefused
from inglenook.dispatch.intake import NewRun
from inglenook.jobs import JobId, JobRejected, State, Webhook
from inglenook.jobs.batches import Batch, BatchJob, add_batch, find_batch
from inglenook.workflows import ParameterError

router = APIRouter(prefix="/api", tags=["tasks"])

_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": inline_schema(BatchRequest)}}}}


@router.post(
    "/batch",
    summary="Run a workflow with many sets of values",
    status_code=202,
    response_model=BatchAccepted,
    responses={
        200: {"model": BatchAccepted, "description": "The batch of this idempotency key, accepted before"},
        **refusals(400, 404, 409, 413, 422, 429, 503, 507),
    },
    openapi_extra=_BODY,
)
async def post_batch(request: Request) -> Response:
    """Make a task for each set of `sets`, row of `table` or combination of `grid`; all of them or none."""
    server, user = services(request), owner(request)
    body = await json_body(request, server.settings.max_json_depth)
    asked = parsed(BatchRequest, body)
    sets = sets_of(asked, server.settings.batch_limit)
    options = task_options(request, asked)
    key = options.pop("idempotency_key")
    batch = Batch(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"batch\n{user or ''}\n{key}")) if key else str(uuid.uuid4()),
        user=user,
        created_ms=time.time_ns() // 1_000_000,
        count=len(sets),
        fingerprint=await asyncio.to_thread(_fingerprint, asked),
    )
    if key and (known := await _known(server, batch)) is not None:
        return known
    base = TaskRequest(
        workflow=asked.workflow,
        timeout_s=options.pop("timeout"),
        extra_data=options.pop("extra_data") or {},
        notes={"batch_id": batch.id},
        size_bytes=len(await request.body()) // len(sets),
        **options,
    )
    try:
        news, name = await _made(server, base, sets, user_of(request), batch.id)
    except PromptRefused as refused:
        return refused.response()
    return await _accepted(server, replace(batch, workflow_name=name), news, webhooks_of(server, base))


def _fingerprint(asked: BatchRequest) -> str:
    encoded = orjson.dumps(asked.model_dump(exclude={"idempotency_key"}), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


async def _known(server: Services, batch: Batch) -> Response | None:
    """The answer when the batch was accepted before. Raises ApiError 409 when another was under its key."""
    found = await server.store.read(find_batch, batch.id)
    if found is None:
        return None
    stored, jobs = found
    if stored.fingerprint != batch.fingerprint:
        raise ApiError(409, "batch_conflict", "Another batch was accepted under this idempotency key", batch.id)
    return JSONResponse(_told(stored, [job.id for job in jobs]))


async def _made(
    server: Services, base: TaskRequest, sets: Sequence[dict[str, Any]], user: str, batch_id: str
) -> tuple[list[NewJob], str | None]:
    base = await with_document(server, base, user)
    news: list[NewJob] = []
    problems: list[dict[str, Any]] = []
    for index, values in enumerate(sets):
        try:
            new = await make_task(server, replace(base, params=values), user=user)
        except ParameterError as error:
            problems += [{**problem, "set": index} for problem in error.problems]
            if len(problems) >= _MOST_PROBLEMS:
                break
            continue
        except PromptRefused as refused:
            raise PromptRefused({**refused.error, "set": index}, refused.node_errors, refused.status) from refused
        job_id = JobId(str(uuid.uuid5(uuid.NAMESPACE_OID, f"{batch_id}\n{index}")))
        news.append(replace(new, job=replace(new.job, id=job_id)))
        if index % _TURN == _TURN - 1:
            await asyncio.sleep(0)
    if problems:
        raise ParameterError(problems)
    return news, base.workflow_name


_MOST_PROBLEMS = 50
_TURN = 10
"""Tasks that are made before others have their turn."""


async def _accepted(server: Services, batch: Batch, news: Sequence[NewJob], webhooks: Sequence[Webhook]) -> Response:
    ids = [new.job.id for new in news]
    runs = [NewRun(new.job, new.needs, new.secrets, new.ask_validators) for new in news]
    try:
        await server.dispatcher.submit_all(runs, webhooks, lambda connection: add_batch(connection, batch, ids))
    except JobRejected:
        known = await _known(server, batch)  # the same key at the same time
        if known is None:
            raise
        return known
    return JSONResponse(_told(batch, ids), status_code=202, headers={"Location": f"/api/batch/{batch.id}"})


def _told(batch: Batch, ids: Sequence[str]) -> dict[str, Any]:
    return {"batch_id": batch.id, "count": batch.count, "task_ids": list(ids)}


async def _found(request: Request, batch_id: str) -> tuple[Batch, list[BatchJob]]:
    """A batch of the caller. Raises ApiError 404."""
    server, user = services(request), owner(request)
    found = None if "\0" in batch_id else await server.store.read(find_batch, batch_id)
    if found is None or (user is not None and found[0].user != user):
        raise ApiError(404, "not_found", "There is no batch with this id", batch_id[:200])
    return found


@router.get(
    "/batch/{batch_id}",
    summary="How far a batch is",
    response_model=BatchState,
    responses=refusals(404, 503),
)
async def get_batch(request: Request, batch_id: str) -> Response:
    """Return how many of its tasks are in each state, its progress over all, and the tasks in order."""
    server = services(request)
    batch, jobs = await _found(request, batch_id)
    tasks, counts, done = [], Counter[str](), 0.0
    for job in jobs:
        run = server.dispatcher.find(job.id)
        state = job.state if run is None or job.state.is_end or run.job.state.is_end else run.job.state
        counts[SHORT_STATUS[state]] += 1
        done += 100.0 if state.is_end else await progress_of(run) if run is not None else 0.0
        tasks.append({"task_id": job.id, "index": job.position, "status": SHORT_STATUS[state]})
    removed = batch.count - len(jobs)
    return JSONResponse(
        {
            "batch_id": batch.id,
            "status": _status(counts),
            "progress": round((done + 100.0 * removed) / batch.count, 1),
            "count": batch.count,
            "counts": {status: counts[status] for status in SHORT_STATUS.values()},
            "removed": removed,
            "workflow": batch.workflow_name,
            "create_time": batch.created_ms,
            "tasks": tasks,
        }
    )


def _status(counts: Counter[str]) -> str:
    """One word for all: what goes on, else the worst end."""
    if counts["running"] or (counts["pending"] and counts.total() > counts["pending"]):
        return "running"
    for status in ("pending", "error", "timeout", "cancelled"):
        if counts[status]:
            return status
    return "success"


@router.post(
    "/batch/{batch_id}/cancel",
    summary="Cancel a batch",
    response_model=CancelledBatch,
    responses=refusals(404, 503),
)
async def post_batch_cancel(request: Request, batch_id: str) -> Response:
    """Take what waits of a batch out of the queue and stop what runs."""
    server, user = services(request), owner(request)
    batch, jobs = await _found(request, batch_id)
    alive = [job.id for job in jobs if job.state in (State.queued, State.running)]
    removed = await server.dispatcher.cancel_waiting(alive, user) if alive else []
    stopped = sum(server.dispatcher.interrupt(job_id, user) for job_id in alive if job_id not in removed)
    return JSONResponse({"batch_id": batch.id, "cancelled": len(removed) + stopped})
