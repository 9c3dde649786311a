"""Parts of the OpenAPI page for routes that read their requests themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

IDS: dict[str, Any] = {"type": "array", "items": {"type": ["string", "number"]}}
FLAG: dict[str, Any] = {"type": "boolean"}
TEXT: dict[str, Any] = {"type": "string"}
TEXTS: dict[str, Any] = {"type": "array", "items": TEXT}
ANY_OBJECT: dict[str, Any] = {"type": "object"}
"""Schemas of fields."""


def query_documentation(*parameters: tuple[str, str]) -> dict[str, Any]:
    """`openapi_extra` of optional query parameters: (name, description) each."""
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "description": description, "schema": {"type": "string"}}
            for name, description in parameters
        ]
    }


def form_documentation(file: str, *fields: tuple[str, str]) -> dict[str, Any]:
    """`openapi_extra` of a form with one file, in the field of that name, and text: (name, description) each."""
    properties: dict[str, Any] = {file: {"type": "string", "format": "binary"}}
    properties |= {name: {"type": "string", "description": description} for name, description in fields}
    schema = {"type": "object", "properties": properties, "required": [file]}
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}, "required": True}}


def object_documentation(
    *, required: bool = False, needs: Sequence[str] = (), **fields: Mapping[str, Any]
) -> dict[str, Any]:
    """`openapi_extra` of a JSON object: the schema of each field. needs: fields that must be there."""
    schema: dict[str, Any] = {"type": "object", "properties": fields}
    if needs:
        schema["required"] = [*needs]
    return body_documentation(schema, required=required)


def body_documentation(schema: Mapping[str, Any], *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of a JSON body."""
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, "required": required}}


def bytes_documentation() -> dict[str, Any]:
    """`openapi_extra` of a body that is a file."""
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"content": {"application/octet-stream": {"schema": schema}}, "required": False}}
