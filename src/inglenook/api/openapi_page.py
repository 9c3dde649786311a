"""Completes the OpenAPI document with what routes leave unsaid that read their requests themselves.

Handlers of ComfyUI's routes take the bare request, for speed and because ComfyUI is lenient where FastAPI is not. So
FastAPI knows neither their path parameters nor how they refuse.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI

_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_PARAMETER = re.compile(r"\{(\w+)\}")
_ERROR = "ErrorAnswer"
_SCHEMA = {
    "title": _ERROR,
    "description": "How every error is answered; `POST /prompt` adds `node_errors`.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"type": {"type": "string"}, "message": {"type": "string"}, "details": {}},
                },
                {"type": "string"},
            ]
        }
    },
}
_CONTENT = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_ERROR}"}}}
_ERRORS = {
    "4XX": {"description": "The request cannot be answered; the error says why", "content": _CONTENT},
    "5XX": {"description": "The server cannot answer now: try again later", "content": _CONTENT},
}

_UNTOLD: dict[str, Any] = {"application/json": {"schema": {}}}
"""What FastAPI says of an answer of which it knows nothing, and which may well be empty or a picture."""


def complete_page(app: FastAPI) -> None:
    """Make the document of `app` complete; it is built once, when somebody asks."""
    build = app.openapi

    def completed() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = build()
            document.setdefault("components", {}).setdefault("schemas", {})[_ERROR] = _SCHEMA
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    if method in _METHODS:
                        _complete(path, operation)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = completed  # type: ignore[method-assign]  # as FastAPI's documentation says to


def _complete(path: str, operation: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    known = {one.get("name") for one in parameters if one.get("in") == "path"}
    parameters += [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(path)
        if name not in known
    ]
    if not parameters:
        del operation["parameters"]
    for answer in operation["responses"].values():
        if answer.get("content") == _UNTOLD:
            del answer["content"]
    for statuses, answer in _ERRORS.items():
        operation["responses"].setdefault(statuses, answer)
