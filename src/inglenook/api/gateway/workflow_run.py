"""`POST /api/run/{name}`: every stored workflow as an endpoint that takes its parameters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import object_body
from inglenook.api.deps import Services, owner, services
from inglenook.api.errors import JSONResponse
from inglenook.api.forms import parsed_form
from inglenook.api.gateway.library_models import Version
from inglenook.api.gateway.media_values import without_files
from inglenook.api.gateway.parsing import parsed
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.submit_forms import split_form, values_of
from inglenook.api.gateway.submitting import TaskAccepted, submit_task
from inglenook.api.gateway.task_models import Accepted, Task, TaskFields
from inglenook.api.gateway.task_views import whole_task
from inglenook.api.gateway.tasks import known_task
from inglenook.api.gateway.workflow_media import is_form
from inglenook.api.gateway.workflow_submit import accepted_response, task_options
from inglenook.api.identity import user_of
from inglenook.api.library_entries import OpenedWorkflow
from inglenook.api.submission import PromptRefused
from inglenook.dispatch.event_log import EventLog
from inglenook.jobs import State
from inglenook.workflows.parameter import ParameterError, parameter_problem
from inglenook.workflows.parameters import Inputs, problems_of, schema

router = APIRouter(prefix="/api", tags=["workflows"])

Name = Annotated[str, Path(description="Name of a stored workflow, with or without `.json`")]

LONGEST_WAIT_S = 300
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?=$|[,;])", re.I)


@router.get(
    "/run/{name}/schema",
    summary="What a stored workflow takes",
    response_model=dict[str, Any],
    responses=refusals(400, 404, 422),
)
async def get_run_schema(request: Request, name: Name, version: Version = None) -> Response:
    """Return the JSON schema (draft 2020-12) of the values of a workflow, all of its parameters by name."""
    library = services(request).library
    opened = await library.opened(await library.get(user_of(request), name, version))
    return JSONResponse({"title": opened.stored.name, **schema(opened.parameters)})


_BODY = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "description": "Values by parameter; or these in `params`, with `timeout` and others beside it",
                    "additionalProperties": True,
                }
            },
            "multipart/form-data": {"schema": {"type": "object", "additionalProperties": True}},
        },
    },
    "parameters": [
        {
            "name": "Prefer",
            "in": "header",
            "required": False,
            "description": f"`wait=30`: answer with the finished task if it ends so soon; {LONGEST_WAIT_S} s at most",
            "schema": {"type": "string"},
        },
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "The same key with the same request gives the same task",
            "schema": {"type": "string"},
        },
    ],
}


@router.post(
    "/run/{name}",
    summary="Run a stored workflow",
    status_code=202,
    response_model=Accepted,
    responses={
        200: {
            "model": Task | Accepted,
            "description": "With `Prefer: wait`, the task, which has ended; else one of this key, accepted before",
        },
        **refusals(400, 404, 409, 413, 422, 429, 503, 507),
    },
    openapi_extra=_BODY,
)
async def post_run(request: Request, name: Name, version: Version = None) -> Response:
    """Make a task of a stored workflow with these values, in JSON or in a form with files.

    Answers as `/api/workflow/submit`, or with `Prefer: wait=30` as `/api/task/{task_id}` once it has ended.
    """
    server = services(request)
    library = server.library
    opened = await library.opened(await library.get(user_of(request), name, version))
    try:
        accepted = await _submitted(server, request, opened)
    except PromptRefused as refused:
        return refused.response()
    wait_s = preferred_wait_s(request.headers.getlist("prefer"))
    if wait_s is None:
        return accepted_response(accepted)
    await _ended(server, accepted.task_id, wait_s)
    job, finished = await known_task(server, accepted.task_id, owner(request))
    if not job.state.is_end:
        return accepted_response(accepted)
    headers = {"Preference-Applied": f"wait={wait_s}"}
    return JSONResponse(await whole_task(server, job, finished), headers=headers)


async def _submitted(server: Services, request: Request, opened: OpenedWorkflow) -> TaskAccepted:
    if is_form(request):
        async with parsed_form(request) as form:
            texts, files = split_form(form)
            values = values_of(texts, server.settings.max_json_depth)
            return await _submit(server, request, opened, values, files, TaskFields.model_validate({}))
    body = await object_body(request, server.settings.max_json_depth)
    given, fields = _in_body(body, opened)
    return await _submit(server, request, opened, given, {}, fields)


async def _submit(
    server: Services,
    request: Request,
    opened: OpenedWorkflow,
    values: Mapping[str, Any],
    files: Mapping[str, UploadFile],
    fields: TaskFields,
) -> TaskAccepted:
    await asyncio.to_thread(_check_required, opened, values, files)
    return await submit_task(
        server,
        user=user_of(request),
        workflow=opened.document,
        params=values,
        files=files,
        listed=opened.stored.listed,
        size_bytes=len(opened.stored.document),
        **task_options(request, fields),
    )


def _in_body(body: Mapping[str, Any], opened: OpenedWorkflow) -> tuple[Mapping[str, Any], TaskFields]:
    """The values in a JSON body, and how the task is run. Raises ApiError 422."""
    values = body.get("params")
    if not isinstance(values, Mapping) or any(one.name == "params" for one in opened.parameters):
        return body, TaskFields.model_validate({})
    return values, parsed(TaskFields, {key: value for key, value in body.items() if key != "params"})


def _check_required(opened: OpenedWorkflow, values: Mapping[str, Any], files: Mapping[str, UploadFile]) -> None:
    """Raises ParameterError for parameters that have no value, neither here nor in the workflow, with whatever else
    is wrong."""
    required = {(one.node_id, one.input_name): one for one in opened.parameters if one.required}
    if not required:
        return
    inputs = Inputs(opened.graph, opened.parameters, opened.catalog)
    problems = []
    for address in (*values, *files):
        try:
            found = inputs.find(address)
        except ParameterError as error:
            problems += error.problems if address in files else []
            continue
        required.pop((found.node_id, found.input_name), None)
    if required:
        text = "{!r} is needed: the workflow has no value for it"
        needed = [parameter_problem(one.name, text.format(one.name)) for one in required.values()]
        problems += problems_of(opened.graph, opened.parameters, without_files(values), opened.catalog)
        raise ParameterError([*needed, *problems])


def preferred_wait_s(headers: Sequence[str]) -> int | None:
    """Seconds that the client would rather wait than ask again, by its `Prefer` headers (RFC 7240)."""
    match = _WAIT.search(",".join(headers))
    return None if match is None else min(int(match[1]), LONGEST_WAIT_S)


async def _ended(server: Services, task_id: str, wait_s: float) -> None:
    """Return when the task has ended and its end is stored, or after a while."""
    run = server.dispatcher.find(task_id)
    if run is None:
        return
    changed = run.log.join()
    try:
        async with asyncio.timeout(wait_s):
            while not (_has_told_end(run.log) or run.log.is_closed):
                changed.clear()
                await changed.wait()
    except TimeoutError:
        pass
    finally:
        run.log.leave(changed)


def _has_told_end(log: EventLog) -> bool:
    last = log.kept[-1] if log.kept else None
    return last is not None and last.name == "state" and State(last.data["status"]).is_end and last.number <= log.told
