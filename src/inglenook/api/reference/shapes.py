"""Pieces of JSON schemas and of OpenAPI responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
ANYTHING: Schema = {"description": "Any JSON value"}
OPEN: Schema = {"type": "object", "additionalProperties": True}
"""An object whose members are for whoever sent it to know."""
TEXTS: Schema = {"type": "array", "items": TEXT}


def ref(name: str) -> Schema:
    """A named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def map_of(values: Schema, description: str = "") -> Schema:
    """An object whose keys are ids or names."""
    return {"type": "object", "additionalProperties": values, **_described(description)}


def one_of(*values: str) -> Schema:
    return {"type": "string", "enum": [*values]}


def nullable(schema: Schema) -> Schema:
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def told(schema: Schema, description: str) -> Schema:
    """The same with a description."""
    return {**schema, "description": description}


def record(description: str, maybe: Mapping[str, Schema] | None = None, /, **fields: Schema) -> Schema:
    """An object that has `fields`, and perhaps some of `maybe`; later versions may add others."""
    return {
        "type": "object",
        "description": description,
        "properties": {**fields, **(maybe or {})},
        "required": [*fields],
    }


# Responses


def ok(schema: Schema, description: str = "As asked for") -> dict[str, Any]:
    """`responses` of a route that answers 200 with JSON."""
    return {"200": in_json(schema, description)}


def in_json(schema: Schema, description: str, **headers: Schema) -> dict[str, Any]:
    answer = {"description": description, "content": {"application/json": {"schema": schema}}}
    return {**answer, "headers": {name: {"schema": kind} for name, kind in headers.items()}} if headers else answer


def empty(description: str = "Done") -> dict[str, Any]:
    """`responses` of a route that answers 200 without a body."""
    return {"200": {"description": description}}


def gone(description: str = "It is gone") -> dict[str, Any]:
    """`responses` of a route that answers 204."""
    return {"204": {"description": description}}


def a_file(*types: str, has_parts: bool = True) -> dict[str, Any]:
    """`responses` of a route that sends a file, whole, in part or not when the client has it."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in types or ("*/*",)}
    answers: dict[str, Any] = {
        "200": {"description": "The file", "content": content},
        "304": {"description": "The client has it already"},
    }
    if has_parts:
        answers["206"] = {"description": "The part that Range asks for", "content": content}
        answers |= refused(412, 416)
    return answers


MEANINGS = {
    400: "The request cannot be read",
    401: "A key is needed, or the one that was given is not known",
    403: "The caller may not do this",
    404: "There is no such thing",
    409: "It does not fit what is there",
    412: "The file is another than If-Match or If-Unmodified-Since means",
    413: "Too large",
    414: "The address is too long",
    416: "The range lies outside of the file",
    422: "A value that cannot be taken; the details say which and why",
    429: "The queue is full, or too many wrong keys were tried; `Retry-After` says when to try again",
    431: "The headers are too large",
    500: "The server failed on this request; its log says why",
    502: "What answers this route does not answer",
    503: "The server is stopping or cannot answer now: try again soon",
    504: "What answers this route does not answer in time",
    507: "The disk is full",
}


def refused(*statuses: int, schema: str = "Refusal") -> dict[str, Any]:
    """`responses` of errors in one shape."""
    return {str(status): in_json(ref(schema), MEANINGS[status]) for status in statuses}


def _described(description: str) -> dict[str, Any]:
    return {"description": description} if description else {}
