"""Parameters that routes leave undescribed: what they are, and what they can be."""

from __future__ import annotations

from typing import Any

from inglenook.api.openapi import PATH

_MEANINGS = {
    "prompt_id": "Id of a job",
    "job_id": "Id of a job",
    "task_id": "Id of a task, which is that of its job",
    "batch_id": "Id of a batch",
    "delivery_id": "Id of a delivery",
    "class_type": "Name of a node class",
    "folder": "Name of a model folder, such as `checkpoints`",
    "path_index": "Which of the paths of the folder, from 0",
    "pack": "Name of a node pack",
    "path": "Path of a file, with its folders",
    "key_id": "Id or name of a key",
    "language": "Code of a language, such as `zh`",
    "name": "Name of a worker",
    "subgraph_id": "Id of a subgraph",
    "user_id": "Id of a user",
    "setting_id": "Name of a setting",
    "file": "Path of a file as one encoded segment: `workflows%2Fa.json`",
    "target": "The new path, encoded in the same way",
    "asset_id": "Id of an asset",
    "content_hash": "Hash of a content",
    "version": "Number of a version",
    "kind": "Which folder",
    "node": "Name of a node class",
    "filename": "Name of a file, perhaps with folders",
}
IN_QUERY = {
    "page": "Number of the page, from 1",
    "limit": "Entries of a page, at most",
    "sort": "By what it is sorted",
    "order": "Direction: downwards or upwards",
}
_MEANINGS_AT = {
    "/view_metadata/{folder}": {"folder": "Name of a model folder, or `input`, `output`, `temp`"},
    "/view_metadata/{folder}/{filename}": {"folder": "`input`, `output` or `temp`"},
    "/workflow_templates/{name}": {"name": "Name of a template of the library"},
    "/outputs/{path}": {"path": "Path of a file below the output folder"},
}

_WITH_SLASHES = frozenset({"path", "prompt_id", "job_id", "task_id", "class_type", "filename"})
"""Those that may hold slashes as they are."""
_ONE_SEGMENT = frozenset({"file", "target", "language", "name", "subgraph_id", "user_id", "setting_id", "pack"})
"""Those of `segments.py`, whose slashes are encoded."""
_SCHEMAS: dict[str, dict[str, Any]] = {
    "kind": {"type": "string", "enum": ["input", "output", "temp"]},
    "path_index": {"type": "integer", "minimum": 0, "maximum": 99999},
    "content_hash": {"type": "string", "pattern": "^blake3:[0-9a-fA-F]{64}$"},
}
_SCHEMAS_AT: dict[str, dict[str, Any]] = {
    "/outputs/{path}": {"path": PATH},
    "/view_metadata/{folder}/{filename}": {"filename": PATH},
    "/workflow_templates/{name}": {
        "name": {"type": "string", "pattern": r"^[^/\\\x00-\x1f\x7f.][^/\\\x00-\x1f\x7f]*$"}
    },
}


def described(path: str, name: str, known: dict[str, Any] | None) -> dict[str, Any]:
    """A parameter of a path; `known`: what FastAPI says of it."""
    found = dict(known or {"name": name, "in": "path", "required": True})
    found.setdefault("description", _MEANINGS_AT.get(path, {}).get(name, _MEANINGS[name]))
    schema = dict(
        _SCHEMAS_AT.get(path, {}).get(name) or _SCHEMAS.get(name) or found.get("schema") or {"type": "string"}
    )
    schema.pop("title", None)
    schema.pop("description", None)
    if schema.get("type") == "string" and "enum" not in schema:
        schema.setdefault("minLength", 1)
        if name not in _WITH_SLASHES | _ONE_SEGMENT:
            schema.setdefault("pattern", "^[^/]+$")
    return {**found, "schema": schema}
