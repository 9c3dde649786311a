"""Errors of the gateway in the API documentation."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Problem(BaseModel):
    """What was wrong."""

    type: str
    message: str
    details: str


class Refusal(BaseModel):
    """How every error is answered."""

    error: Problem


_MEANINGS = {
    400: "The request cannot be understood, or the file it means cannot be read",
    404: "There is no such thing",
    409: "It does not fit what is there",
    413: "The body is too large",
    416: "The range lies outside of the file",
    422: "A parameter cannot be used; the details say which and why",
    429: "The queue is full: try again later",
    503: "The server cannot answer now: try again soon",
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that may answer with these errors; any may answer 503."""
    return {status: {"model": Refusal, "description": _MEANINGS[status]} for status in (*statuses, 503)}
