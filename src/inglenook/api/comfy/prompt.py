"""`/prompt`: submit a workflow, and how long the queue is."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import owner, services
from inglenook.api.errors import ApiError, JSONResponse, as_response
from inglenook.api.openapi import ANY_OBJECT, SWITCH, TEXT, object_documentation
from inglenook.api.submission import PromptRefused, submit_body
from inglenook.api.workflow_files import workflow_body
from inglenook.errors import InglenookError

router = APIRouter(tags=["comfy"])


@router.post(
    "/prompt",
    summary="Submit a workflow",
    openapi_extra=object_documentation(
        required=True,
        needs=["prompt"],
        prompt={
            "anyOf": [{**ANY_OBJECT, "minProperties": 1}, TEXT],
            "description": "A workflow of any format; a text is the positive prompt of the default workflow",
        },
        client_id={"description": "The socket that hears of the run, a text or what is then taken as one"},
        prompt_id={"description": "Id of the job, a text or what is then taken as one; made by the server without it"},
        extra_data={"type": ["object", "null"], "description": "Kept with the job; `extra_pnginfo` goes into files"},
        front={**SWITCH, "description": "Before all others, unless there is a number"},
        number={"type": ["number", "boolean", "null"], "description": "Smaller ones run first"},
        partial_execution_targets={
            "type": ["array", "null"],
            "minItems": 1,
            "items": TEXT,
            "description": "Ids of the output nodes to run; all without it",
        },
    ),
)
async def post_prompt(request: Request) -> Response:
    """Accept a workflow of any format; 200 with `prompt_id`, `number` and `node_errors` once it is committed.

    What was changed so that it runs stands under `repairs`.
    """
    try:
        server = services(request)
        body = await workflow_body(request, server.settings.max_json_depth)
        reply = await submit_body(
            server,
            body,
            size_bytes=len(await request.body()),
            idempotency_key=request.headers.get("idempotency-key"),
            user=owner(request),
            usage_source=request.headers.get("comfy-usage-source"),
        )
        return JSONResponse(reply)
    except PromptRefused as refused:
        return refused.response()
    except ApiError as error:
        if error.status != 400:
            return error.response()
        return PromptRefused.simple(error.kind, error.message, error.details).response()
    except InglenookError as error:
        return as_response(error)


@router.get("/prompt", summary="Length of the queue")
async def get_prompt(request: Request) -> Response:
    """Return `{"exec_info": {"queue_remaining": n}}`."""
    remaining = services(request).dispatcher.remaining_of(owner(request))
    return JSONResponse(b'{"exec_info":{"queue_remaining":%d}}' % remaining)
