"""Forms that run a workflow: the fields of `/api/workflow/submit`, and files for parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData, UploadFile

from inglenook.api.bodies import parse_json
from inglenook.api.deps import Services
from inglenook.api.errors import ApiError
from inglenook.api.gateway.task_models import SubmitRequest
from inglenook.api.gateway.workflow_media import workflow_in
from inglenook.engine.values import shorten

_WORKFLOW = ("workflow", "file")
_AS_JSON = ("params", "extra_data", "webhook", "partial_execution_targets")
_FIELDS = frozenset({*SubmitRequest.model_fields, "prompt"})

FORM: dict[str, Any] = {
    "type": "object",
    "description": "Fields as in JSON, those that are objects as JSON texts; further fields are values of parameters",
    "properties": {
        "workflow": {"type": "string", "description": "A file or a text in any format, or the name of a stored one"},
        "params": {"type": "object", "description": "JSON: parameter -> value"},
    },
    "required": ["workflow"],
    "additionalProperties": True,
}


async def submitted_form(server: Services, form: FormData) -> tuple[dict[str, Any], dict[str, UploadFile]]:
    """The fields of a request as JSON has them, and the files of parameters. Raises ApiError 400, 413, 422."""
    texts, files = split_form(form)
    depth = server.settings.max_json_depth
    fields = {
        name: _value(name, text, depth)
        for name, text in texts.items()
        if name in _FIELDS and (text or name not in _AS_JSON)  # pages send the fields that nobody has filled in
    }
    values = {name: text for name, text in texts.items() if name not in _FIELDS}
    if values:
        params = fields.get("params") or {}
        if isinstance(params, dict):  # else it is refused as a field of the wrong type
            fields["params"] = {**params, **values}
    for name in _WORKFLOW:
        if name in files and "workflow" not in fields:
            fields["workflow"] = await workflow_in(server, files.pop(name).file, to_run=True)
    return fields, files


def split_form(form: FormData) -> tuple[dict[str, str], dict[str, UploadFile]]:
    """Texts and files of a form by name. Raises ApiError 422 for a name that comes twice."""
    texts: dict[str, str] = {}
    files: dict[str, UploadFile] = {}
    for name, value in form.multi_items():
        if name in texts or name in files:
            raise ApiError(422, "invalid_request", "The form has a field twice", shorten(name, 100))
        if isinstance(value, UploadFile):
            files[name] = value
        else:
            texts[name] = value
    return texts, files


def _value(name: str, text: str, max_depth: int) -> Any:
    if name in _AS_JSON and text.lstrip()[:1] in ("{", "["):
        return parse_json(text.encode("utf-8", "replace"), max_depth)
    return text


def values_of(texts: Mapping[str, str], max_depth: int) -> dict[str, Any]:
    """The texts of a form as values of parameters; the field `params` may hold further ones as JSON."""
    text = texts.get("params", "")
    if not text.lstrip().startswith("{"):
        return dict(texts)
    others = {name: value for name, value in texts.items() if name != "params"}
    return {**parse_json(text.encode("utf-8", "replace"), max_depth), **others}
