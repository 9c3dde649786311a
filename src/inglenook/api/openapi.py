"""Parts of the OpenAPI page for routes that read their requests themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]

IDS: Schema = {
    "type": "array",
    "items": {"type": ["string", "number", "boolean", "null"]},
    "description": "Ids of jobs; what is no text is taken as one",
}
FLAG: Schema = {"type": "boolean"}
SWITCH: Schema = {"description": "`true`, or anything else that is not empty, null or 0", "default": False}
"""ComfyUI's clients send numbers and texts, too."""
TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
ANY_OBJECT: Schema = {"type": "object"}
WITHOUT_NUL: Schema = {"type": "string", "pattern": r"^[^\x00]*$"}
PATH: Schema = {"type": "string", "pattern": r"^[^/\\\x00-\x1f\x7f][^\\\x00-\x1f\x7f]*$"}
"""A path below some folder, in short: `media/paths.py` says which."""
SUBFOLDER: Schema = {"type": "string", "pattern": r"^([^/\\\x00-\x1f\x7f][^\\\x00-\x1f\x7f]*)?$"}
"""Schemas of fields."""


def choice(*values: str) -> Schema:
    """One of these; an empty text counts as none."""
    return {"type": "string", "enum": [*values, ""]}


def whole(least: int, most: int, default: int) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}


def query_documentation(*parameters: tuple[str, str] | tuple[str, str, Schema]) -> dict[str, Any]:
    """`openapi_extra` of optional query parameters: (name, description, schema) each; a text without a schema."""
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": description,
                "schema": schema[0] if schema else TEXT,
            }
            for name, description, *schema in parameters
        ]
    }


def form_documentation(file: str, *fields: tuple[str, str] | tuple[str, str, Schema]) -> dict[str, Any]:
    """`openapi_extra` of a form with one file, in the field of that name, and others: (name, description, schema) each,
    texts without a schema."""
    properties: dict[str, Any] = {file: {"type": "string", "format": "binary"}}
    properties |= {
        name: {**(schema[0] if schema else TEXT), "description": description} for name, description, *schema in fields
    }
    schema = {"type": "object", "properties": properties, "required": [file]}
    return {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}, "required": True}}


def object_documentation(
    *, required: bool = False, needs: Sequence[str] = (), any_of: Sequence[str] = (), **fields: Mapping[str, Any]
) -> dict[str, Any]:
    """`openapi_extra` of a JSON object: the schema of each field. needs: fields that must be there; any_of: one of
    these."""
    schema: dict[str, Any] = {"type": "object", "properties": fields}
    if any_of:
        schema["anyOf"] = [{"required": [name]} for name in any_of]
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
