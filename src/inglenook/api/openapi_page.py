"""Completes the OpenAPI document with what routes leave unsaid that read their requests themselves.

Handlers of ComfyUI's routes take the bare request, for speed and because ComfyUI is lenient where FastAPI is not. So
FastAPI knows neither their path parameters nor what they answer and how they refuse: `reference/` says it.
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI

_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_PARAMETER = re.compile(r"\{(\w+)\}")
_UNTOLD: dict[str, Any] = {"application/json": {"schema": {}}}
"""What FastAPI says of an answer of which it knows nothing, and which may well be empty or a picture."""
_FASTAPI_REFUSAL = "#/components/schemas/HTTPValidationError"
"""How FastAPI refuses; here everything is refused in one shape (`errors.py`)."""
_OPEN = ("/api/health", "/api/health/live", "/api/health/ready")
"""Answered without a key."""

_DESCRIPTION = """Every route of ComfyUI exists bare and under `/api` (`/prompt`, `/api/prompt`), and is shown
once. Those of `/internal`, `/templates`, `/docs` exist bare alone, those that stand under `/api` here only so.

Bodies are read as JSON whatever their content type says, and fields that are not known are not looked at, unless an
operation says otherwise. Errors are `{"error": {"type", "message", "details"}}`; other shapes are told where they
occur.
"""

KEYS: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key"},
}
"""How a key is given, on a server that needs one."""


def security(*, is_needed: bool) -> list[dict[str, Any]]:
    """What a request needs; without keys none is asked for."""
    ways: list[dict[str, Any]] = [{name: []} for name in KEYS]
    return ways if is_needed else [{}, *ways]


def complete_page(app: FastAPI) -> None:
    """Make the document of `app` complete; it is built once, when somebody asks."""
    build = app.openapi

    def completed() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(build())
        return app.openapi_schema

    app.openapi = completed  # type: ignore[method-assign]  # as FastAPI's documentation says to


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    from inglenook.api.reference import SCHEMAS  # half a thousand objects that a start does without

    document["info"]["description"] = _DESCRIPTION
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= SCHEMAS
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = KEYS
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in _METHODS:
                _complete(method.upper(), path, operation)
    return document


def _complete(method: str, path: str, operation: dict[str, Any]) -> None:
    _complete_parameters(path, operation)
    _complete_answers(f"{method} {path}", operation)
    _complete_body(f"{method} {path}", operation)
    if path in _OPEN:
        operation["security"] = []


def _complete_parameters(path: str, operation: dict[str, Any]) -> None:
    from inglenook.api.reference.parameters import IN_QUERY, described

    parameters = operation.setdefault("parameters", [])
    known = {one.get("name"): one for one in parameters if one.get("in") == "path"}
    parameters[:] = [one for one in parameters if one.get("in") != "path"]
    in_path = _PARAMETER.findall(path)
    parameters[:0] = [described(path, name, known.get(name)) for name in in_path]
    for one in parameters:
        one.get("schema", {}).pop("title", None)
        if "description" not in one:
            one["description"] = IN_QUERY[one["name"]]
    if not parameters:
        del operation["parameters"]


def _complete_answers(route: str, operation: dict[str, Any]) -> None:
    from inglenook.api.reference import ANSWERS
    from inglenook.api.reference.shapes import refused

    answers = operation["responses"]
    for status, answer in [*answers.items()]:
        if answer.get("content") == _UNTOLD:
            del answer["content"]
        if _FASTAPI_REFUSAL in str(answer):
            del answers[status]
            if _can_be_unfit(operation):
                answers |= refused(422)
    told = ANSWERS.get(route)
    if told is not None:
        answers = operation["responses"] = {
            **told,
            **{status: answers[status] for status in answers if status == "422"},
        }
    shape = "AssetRefusal" if "assets" in operation.get("tags", ()) else "Refusal"
    common = (403,) if route.split()[1] in _OPEN else (401, 403, 429, 500, 503)
    if "requestBody" in operation:
        common = (*common, 400, 413)
    for status, answer in refused(*common, schema=shape).items():
        answers.setdefault(status, answer)
    operation["responses"] = dict(sorted(answers.items()))


def _can_be_unfit(operation: dict[str, Any]) -> bool:
    """Whether a parameter takes less than any text."""
    schemas = [one.get("schema", {}) for one in operation.get("parameters", ())]
    return any(
        set(schema) - {"type", "title", "description", "minLength"} or schema.get("type") != "string"
        for schema in schemas
    )


def _complete_body(route: str, operation: dict[str, Any]) -> None:
    from inglenook.api.reference import EXAMPLES

    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None and route in EXAMPLES:
        content["example"] = EXAMPLES[route]
