"""`POST /api/workflow/submit`: any workflow, with values for its parameters, becomes a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import Services, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.forms import parsed_form
from inglenook.api.gateway.parsing import parsed
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.submit_forms import FORM, submitted_form
from inglenook.api.gateway.submitting import TaskAccepted, submit_task
from inglenook.api.gateway.task_models import Accepted, SubmitRequest, TaskFields, Webhook, inline_schema
from inglenook.api.gateway.workflow_media import is_form, workflow_given
from inglenook.api.identity import user_of
from inglenook.api.submission import PromptRefused
from inglenook.workflows import is_bare_graph, is_ui_format

router = APIRouter(prefix="/api", tags=["tasks"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    **inline_schema(SubmitRequest),
                    "required": [],
                    "minProperties": 1,
                    "description": "This, or a bare workflow file of any format",
                }
            },
            "multipart/form-data": {"schema": FORM},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "As `idempotency_key`",
            "schema": {"type": "string"},
        }
    ],
}


@router.post(
    "/workflow/submit",
    summary="Run a workflow",
    status_code=202,
    response_model=Accepted,
    responses={
        200: {"model": Accepted, "description": "The task of this idempotency key, accepted before"},
        **refusals(400, 404, 409, 413, 422, 429, 503, 507),
    },
    openapi_extra=_BODY,
)
async def post_workflow_submit(request: Request) -> Response:
    """Make a task of a workflow; 202 with its id once it is stored.

    The body is `{"workflow", "params", ...}`, a bare workflow file (JSON of any format, or a picture, video or sound
    that carries one), ComfyUI's `{"prompt": ...}`, or a form with the same fields and files for parameters. Values
    that do not fit are told with 422 and the choices.
    """
    server = services(request)
    try:
        if not is_form(request):
            asked = submit_request(await workflow_given(server, request))
            return await _submit(server, request, asked, {}, len(await request.body()))
        async with parsed_form(request) as form:
            fields, files = await submitted_form(server, form)
            return await _submit(server, request, submit_request(fields), files, _LARGE)
    except PromptRefused as refused:
        return refused.response()


_LARGE = 1 << 20
"""A form may hold anything: it is worked on in threads."""


async def _submit(
    server: Services, request: Request, asked: SubmitRequest, files: Mapping[str, UploadFile], size_bytes: int
) -> Response:
    targets = asked.partial_execution_targets
    accepted = await submit_task(
        server,
        user=user_of(request),
        workflow=asked.workflow,
        params=asked.params,
        files=files,
        targets=None if targets is None else [*map(str, targets)],
        size_bytes=size_bytes,
        **task_options(request, asked),
    )
    return accepted_response(accepted)


def accepted_response(accepted: TaskAccepted) -> Response:
    """202 for a new task, 200 for one that was accepted before."""
    headers = {"Location": f"/api/task/{accepted.task_id}"} if accepted.task_id.isascii() else None
    return JSONResponse(accepted.to_json(), status_code=202 if accepted.is_new else 200, headers=headers)


def submit_request(body: Any) -> SubmitRequest:
    """The fields of a body; a bare workflow is one without fields. Raises ApiError 400, 422."""
    if not isinstance(body, dict):
        raise ApiError(400, "invalid_request", f"The body must be a JSON object, not {type(body).__name__}")
    if is_bare_graph(body) or is_ui_format(body):
        return SubmitRequest.model_validate({"workflow": body})
    if body.get("workflow") is None or body.get("prompt") is not None or body.get("output") is not None:
        wrapped = next((body[key] for key in ("prompt", "output") if body.get(key) is not None), None)
        if wrapped is None:
            raise ApiError(400, "no_workflow", "The body has no workflow: give it as `workflow`")
        body = {**body, "workflow": wrapped}
    return parsed(SubmitRequest, body)


def task_options(request: Request, fields: TaskFields) -> dict[str, Any]:
    """The arguments of `submit_task` that say how a task is run."""
    webhook = {"url": fields.webhook} if isinstance(fields.webhook, str) else fields.webhook
    return {
        "timeout": fields.timeout,
        "priority": fields.priority,
        "client_id": fields.client_id,
        "webhook": webhook.model_dump(exclude_none=True) if isinstance(webhook, Webhook) else webhook,
        "idempotency_key": fields.idempotency_key or request.headers.get("idempotency-key"),
        "extra_data": fields.extra_data,
    }
