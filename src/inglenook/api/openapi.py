"""Parts of the OpenAPI page for routes that read their requests themselves."""

from __future__ import annotations

from typing import Any


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
