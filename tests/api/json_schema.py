"""As much of JSON Schema as our OpenAPI document uses, to hold answers against it."""

from __future__ import annotations

import re
from typing import Any

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def problem(value: Any, schema: dict[str, Any], document: dict[str, Any], place: str = "$") -> str | None:
    """What of a value does not fit a schema; None when all of it does."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return problem(value, document["components"]["schemas"][name], document, place)
    for one in (_choice, _type, _limits, _members, _items):
        found = one(value, schema, document, place)
        if found is not None:
            return found
    return None


def _choice(value, schema, document, place):
    if "anyOf" in schema:
        found = [problem(value, one, document, place) for one in schema["anyOf"]]
        if None not in found:
            return f"{place}: none of {found}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{place}: {value!r} is not one of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        return f"{place}: {value!r} is not {schema['const']!r}"
    return None


def _type(value, schema, document, place):
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is(value, name) for name in types):
        return f"{place}: {value!r} is no {' or '.join(types)}"
    return None


def _is(value, name):
    if name in ("integer", "number"):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and (name == "number" or value == int(value))
    return isinstance(value, _TYPES[name])


def _limits(value, schema, document, place):
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{place}: {value!r} is not like {schema['pattern']}"
    if _is(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return f"{place}: {value} is out of range"
    return None


def _members(value, schema, document, place):
    if not isinstance(value, dict):
        return None
    if missing := [name for name in schema.get("required", ()) if name not in value]:
        return f"{place}: {missing} are missing"
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, member in value.items():
        inner = properties.get(name, others)
        if inner is False:
            return f"{place}: {name} is not told"
        found = None if inner is True else problem(member, inner, document, f"{place}.{name}")
        if found is not None:
            return found
    return None


def _items(value, schema, document, place):
    if not isinstance(value, list):
        return None
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return f"{place}: {len(value)} items"
    first = schema.get("prefixItems", [])
    schemas = [*first, *[schema.get("items", {})] * (len(value) - len(first))]
    found = (problem(one, inner, document, f"{place}[{n}]") for n, (one, inner) in enumerate(zip(value, schemas)))  # noqa: B905
    return next((text for text in found if text is not None), None)
