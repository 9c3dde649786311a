"""`POST /api/workflow/submit`: any workflow, with values for its parameters, becomes a task."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.gateway.submitting import TaskAccepted, submit_task
from inglenook.api.gateway.task_models import Accepted, SubmitRequest, TaskFields, Webhook, inline_schema, refusals
from inglenook.api.identity import user_of
from inglenook.api.submission import PromptRefused
from inglenook.api.workflow_files import workflow_body
from inglenook.workflows import is_bare_graph, is_ui_format

router = APIRouter(prefix="/api", tags=["tasks"])

Model = TypeVar("Model", bound=BaseModel)

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    **inline_schema(SubmitRequest),
                    "required": [],
                    "description": "This, or a bare workflow file of any format",
                }
            },
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

    The body is `{"workflow", "params", ...}`, a bare workflow file (JSON of any format, or a picture that carries one),
    or ComfyUI's `{"prompt": ...}`. Values that do not fit are told with 422 and the choices.
    """
    server = services(request)
    body = await workflow_body(request, server.settings.max_json_depth)
    asked = submit_request(body)
    try:
        accepted = await submit_task(
            server,
            user=user_of(request),
            workflow=asked.workflow,
            params=asked.params,
            targets=None if asked.partial_execution_targets is None else [*map(str, asked.partial_execution_targets)],
            size_bytes=len(await request.body()),
            **task_options(request, asked),
        )
    except PromptRefused as refused:
        return refused.response()
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


def parsed(model: type[Model], body: Any) -> Model:
    """A body as a model. Raises ApiError 422 that tells what does not fit."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems = [
            {"parameter": ".".join(map(str, item["loc"]))[:200], "message": item["msg"], "choices": []}
            for item in error.errors(include_url=False, include_context=False, include_input=False)[:20]
        ]
        raise ApiError(422, "invalid_request", "The request has fields that do not fit", problems) from None


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
