"""What the client raises; statuses of answers by class, so that a caller catches what it can handle.

ClientError
|- ConnectionFailed         no answer: nobody listens, or the connection broke
|- InvalidAnswer            an answer that is not what the ComfyUI API says
|- StatusError              an answer with an error status
|  |- BadRequest            400
|  |  `- PromptRejected     a graph that did not pass validation, with its `node_errors`
|  |- Unauthorized          401
|  |- Forbidden             403
|  |- NotFound              404
|  |- Conflict              409
|  |- TooLarge              413
|  |- Unprocessable         422
|  |- TooManyRequests       429, with `retry_after_s`
|  `- ServerFailure         5xx
`- JobEnded                 a job that will have no result
   |- JobFailed             a node raised
   |- JobInterrupted        somebody stopped it
   `- JobLost               the server no longer knows it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import orjson

from inglenook.errors import InglenookError

_LONGEST_EXCERPT = 500


class ClientError(InglenookError):
    """Base of what the client raises."""


class ConnectionFailed(ClientError):
    """The server could not be reached, or the connection broke before its answer was complete."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no answer from {url}: {reason}")
        self.url = url
        self.reason = reason


class InvalidAnswer(ClientError):
    """An answer that does not have the shape that the ComfyUI API gives it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"unexpected answer to {path}: {reason}")
        self.path = path
        self.reason = reason


class StatusError(ClientError):
    """An answer with an error status."""

    def __init__(self, status: int, request: str, message: str, body: bytes = b"") -> None:
        super().__init__(f"{request} -> {status}: {message}" if message else f"{request} -> {status}")
        self.status = status
        self.request = request
        """Method and path."""
        self.message = message
        """What the server said, in one text."""
        self.body = body


class BadRequest(StatusError):
    """400: the server could not make sense of the request."""


class Unauthorized(StatusError):
    """401: a key is needed, or the one given is not known."""


class Forbidden(StatusError):
    """403: not allowed for this caller."""


class NotFound(StatusError):
    """404: no such file, job or route."""


class Conflict(StatusError):
    """409: it collides with something that is there."""


class TooLarge(StatusError):
    """413: the body is over the server's limit."""


class Unprocessable(StatusError):
    """422: understood, but with values that cannot be used."""


class TooManyRequests(StatusError):
    """429: the queue is full or a rate is exceeded."""

    retry_after_s: float | None = None
    """What the server asks to wait, seconds."""


class ServerFailure(StatusError):
    """5xx: the server, or a proxy before it, failed."""


class PromptRejected(BadRequest):
    """A graph that did not pass validation; nothing was queued."""

    def __init__(
        self, request: str, error: Mapping[str, Any], node_errors: Mapping[str, Any], body: bytes = b""
    ) -> None:
        message = str(error.get("message") or "the workflow was refused")
        details = str(error.get("details") or "")
        super().__init__(400, request, f"{message}: {details}" if details and details != message else message, body)
        self.type = str(error.get("type", ""))
        """`prompt_outputs_failed_validation`, `missing_node_type`, ..."""
        self.extra_info = error.get("extra_info") or {}
        self.node_errors = node_errors
        """Node id -> `{"class_type", "errors": [{"type", "message", "details", "extra_info"}], ...}`."""


class JobEnded(ClientError):
    """A job that ended without a result."""

    def __init__(self, prompt_id: str, message: str) -> None:
        super().__init__(message)
        self.prompt_id = prompt_id


class JobFailed(JobEnded):
    """A node raised while the job ran."""

    def __init__(
        self,
        prompt_id: str,
        *,
        node_id: str,
        node_type: str,
        exception_message: str,
        exception_type: str = "",
        traceback: Sequence[str] = (),
    ) -> None:
        where = f"{node_type} (node {node_id}): " if node_id else ""
        super().__init__(prompt_id, f"{where}{exception_message.strip() or exception_type or 'the job failed'}")
        self.node_id = node_id
        self.node_type = node_type
        self.exception_message = exception_message
        self.exception_type = exception_type
        self.traceback = tuple(traceback)


class JobInterrupted(JobEnded):
    """Somebody stopped the job."""

    def __init__(self, prompt_id: str, node_id: str = "") -> None:
        super().__init__(prompt_id, f"job {prompt_id} was interrupted" + (f" at node {node_id}" if node_id else ""))
        self.node_id = node_id


class JobLost(JobEnded):
    """The server accepted the job but knows nothing of it any more."""

    def __init__(self, prompt_id: str) -> None:
        super().__init__(prompt_id, f"the server no longer knows job {prompt_id}: removed, or lost at a restart")


_BY_STATUS: Mapping[int, type[StatusError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Unprocessable,
    429: TooManyRequests,
}


def raise_for_status(response: httpx.Response) -> None:
    """Raise the class for an error status; the response must have been read."""
    if response.is_success:
        return
    request = f"{response.request.method} {response.request.url.path}"
    body = response.content
    parsed = _json_object(body)
    error = parsed.get("error")
    if response.status_code == 400 and isinstance(error, dict) and "node_errors" in parsed:
        node_errors = parsed["node_errors"]
        raise PromptRejected(request, error, node_errors if isinstance(node_errors, dict) else {}, body)
    kind = _BY_STATUS.get(response.status_code, ServerFailure if response.status_code >= 500 else StatusError)
    raised = kind(response.status_code, request, _message(error, body, response.reason_phrase), body)
    if isinstance(raised, TooManyRequests):
        raised.retry_after_s = _seconds(response.headers.get("retry-after", ""))
    raise raised


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _message(error: Any, body: bytes, reason: str) -> str:
    if isinstance(error, dict):
        parts = [str(error[key]) for key in ("message", "details") if isinstance(error.get(key), str) and error[key]]
        if parts:
            return ": ".join(dict.fromkeys(parts))
    if isinstance(error, str):
        return error
    return " ".join(body[:_LONGEST_EXCERPT].decode("utf-8", "replace").split()) or reason


def _seconds(text: str) -> float | None:
    try:
        return max(0.0, float(text))
    except ValueError:
        return None
