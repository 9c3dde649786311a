"""Errors as JSON: one shape for all that ComfyUI answers with text or nothing.

`{"error": {"type", "message", "details"}}`; details are a text, of wrong parameters a list with the choices of each.
`POST /prompt` answers in ComfyUI's own shape (`submission.py`).
"""

from __future__ import annotations

import logging
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from inglenook.dispatch.intake import QueueFull, ShuttingDown
from inglenook.errors import DiskFull, InglenookError, MediaError
from inglenook.jobs import JobStoreError, JobStoreFull
from inglenook.workflows import ParameterError

logger = logging.getLogger(__name__)


class JSONResponse(Response):
    """JSON by orjson, under ComfyUI's content type."""

    media_type = "application/json; charset=utf-8"

    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)


class ApiError(Exception):
    """Ends a request with a status and a JSON error."""

    def __init__(
        self, status: int, kind: str, message: str, details: Any = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.details = details
        self.headers = headers

    def response(self) -> Response:
        return error_response(self.status, self.kind, self.message, self.details, self.headers)


def error_response(
    status: int, kind: str, message: str, details: Any = "", headers: dict[str, str] | None = None
) -> Response:
    """Return the JSON error of a request."""
    body = {"error": {"type": kind, "message": message, "details": details}}
    return JSONResponse(body, status_code=status, headers=headers)


def as_response(error: Exception) -> Response:
    """Return the answer to a request that raised `error`."""
    match error:
        case ApiError():
            return error.response()
        case QueueFull():
            return error_response(429, "queue_full", str(error), headers={"Retry-After": "5"})
        case ShuttingDown():
            return error_response(503, "shutting_down", str(error), headers={"Retry-After": "10"})
        case JobStoreFull():
            logger.error("refused a request: %s", error)
            return error_response(507, "disk_full", "No room to store jobs: free some space on the server's disk")
        case DiskFull():
            return error_response(507, "disk_full", str(error))
        case JobStoreError():  # busy, closed, unreadable; where the database lies is for the log only
            logger.error("refused a request: %s", error)
            text = "The job store cannot answer now; try again soon, the server's log says why"
            return error_response(503, "store_unavailable", text, headers={"Retry-After": "5"})
        case HTTPException():
            headers = dict(error.headers) if error.headers else None
            return error_response(
                error.status_code, _KINDS.get(error.status_code, "error"), str(error.detail), "", headers
            )
        case RequestValidationError():
            return error_response(422, "invalid_request", "The request does not fit this route", _describe(error))
        case ClientDisconnect():  # nobody hears it
            return error_response(400, "incomplete_body", "The client went away")
        case ParameterError():
            return error_response(422, "invalid_parameters", str(error), error.problems)
        case MediaError():
            return error_response(400, "invalid_file", str(error))
        case InglenookError():
            return error_response(400, "error", str(error))
        case _:
            return error_response(500, "internal_error", "The server failed on this request; its log says why")


_KINDS = {400: "invalid_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
          413: "too_large", 416: "range_not_satisfiable"}  # fmt: skip


def _describe(error: RequestValidationError) -> str:
    parts = (f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()[:5])
    return "; ".join(parts)


def install(app: FastAPI) -> None:
    """Make every error of `app` a JSON one."""

    async def handle(request: Request, error: Exception) -> Response:
        response = as_response(error)
        if response.status_code == 500:
            logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return response

    for kind in (ApiError, InglenookError, HTTPException, RequestValidationError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, handle)
