"""Errors of the gateway in the API documentation."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """What was wrong."""

    model_config = ConfigDict(extra="allow")

    type: str
    message: str
    details: Any = ""


class Refusal(BaseModel):
    """How every error is answered; where a workflow is run, `node_errors` stands beside it, as with ComfyUI."""

    model_config = ConfigDict(extra="allow")

    error: Problem


_MEANINGS = {
    400: "The request or the workflow cannot be read",
    404: "There is no such thing",
    409: "It does not fit what is there",
    413: "Too large",
    416: "The range lies outside of the file",
    422: "A value, a name or a field that cannot be taken; the details say which and why",
    429: "The queue is full; `Retry-After` says when to try again",
    503: "The server is stopping or cannot answer now: try again soon",
    507: "The disk is full",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that may answer with these errors; any may answer 503."""
    return {status: {"model": Refusal, "description": _MEANINGS[status]} for status in (*statuses, 503)}
