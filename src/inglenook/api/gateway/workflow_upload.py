"""`POST /api/workflow/upload`: workflows into the library."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import parse_json_anywhere
from inglenook.api.deps import Services, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.forms import parsed_form
from inglenook.api.gateway.library_models import (
    Body,
    Description,
    NameOrNone,
    NewName,
    Tags,
    UploadedModel,
    summary,
    tags_in_form,
)
from inglenook.api.gateway.library_views import reading
from inglenook.api.gateway.parsing import parsed
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.workflow_media import is_form, opened_bytes, workflow_in
from inglenook.api.identity import user_of
from inglenook.api.library import telling_which
from inglenook.api.library_entries import Upload, entry_of
from inglenook.jobs.workflow_records import Saved
from inglenook.workflows import is_bare_graph, is_ui_format

router = APIRouter(prefix="/api", tags=["workflows"])


class UploadBody(Body):
    """A workflow and what is said of it."""

    name: NameOrNone | None = None
    filename: str | None = Field(None, max_length=1000, description="As `name`, where there is none")
    workflow: dict[str, Any] | str | None = None
    tags: Tags | None = None
    description: Description | None = None
    overwrite: bool = True
    """Same name: a new version. False: refused."""


class UploadFields(Body):
    """The fields of a form beside its files."""

    name: NewName | None = None
    tags: Tags | None = None
    description: Description | None = None
    overwrite: bool = True


_FORM = {
    "type": "object",
    "properties": {
        "file": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "format": "binary"},
            "description": "JSON in either format, or a picture, video or sound that carries a workflow",
        },
        "name": {"type": "string", "description": "Instead of the name of the file, where there is one"},
        "tags": {"type": "string", "description": "Separated by commas, or a JSON list"},
        "description": {"type": "string", "description": "What it is for"},
        "overwrite": {"type": "string", "enum": ["true", "false"], "default": "true"},
    },
    "required": ["file"],
}
_BODY = {
    "parameters": [
        {
            "name": "name",
            "in": "query",
            "required": False,
            "description": "Name of a workflow that is the body itself",
            "schema": {"type": "string", "minLength": 1},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/json": {"schema": UploadBody.model_json_schema()},
        },
    },
}


@router.post(
    "/workflow/upload",
    summary="Store workflows",
    status_code=201,
    response_model=UploadedModel,
    responses={
        200: {"model": UploadedModel, "description": "There were workflows of these names"},
        **refusals(400, 409, 413, 422),
    },
    openapi_extra=_BODY,
)
async def post_workflow_upload(request: Request) -> Response:
    """Store one or several files, or the workflow in a JSON body, all or none. The same name makes a new version.

    Takes whatever `/api/workflow/convert` takes, in a form, as `{"name", "workflow"}`, or as the body with `?name=`.
    """
    server, user = services(request), user_of(request)
    if is_form(request):
        async with parsed_form(request) as form:
            uploads, overwrite = await _from_form(server, form)
    else:
        uploads, overwrite = await _from_body(server, request)
    saved = await server.library.save_all(user, uploads, overwrite=overwrite)
    entries = [await _entry(server, user, one) for one in saved]
    answer = {"filename": entries[0]["filename"], "version": entries[0]["version"], "workflows": entries}
    return JSONResponse(answer, status_code=201 if any(one.is_new for one in saved) else 200)


async def _entry(server: Services, user: str, saved: Saved) -> dict[str, Any]:
    stored = await server.library.get(user, saved.record.name, saved.record.version)
    found = await reading(await server.library.opened(stored))
    told = {key: found[key] for key in ("parameters", "missing")}
    return {**summary(entry_of(saved.record)), "is_new": saved.is_new, "is_changed": saved.is_changed, **told}


async def _from_form(server: Services, form: FormData) -> tuple[list[Upload], bool]:
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise ApiError(400, "no_file", "The form has no file")
    texts: dict[str, Any] = {name: value for name, value in form.items() if isinstance(value, str)}
    if "tags" in texts:
        texts["tags"] = tags_in_form(texts["tags"])
    if "overwrite" in texts:
        texts["overwrite"] = _switch(texts["overwrite"])
    fields = parsed(UploadFields, texts)
    if fields.name is not None and len(files) > 1:
        raise ApiError(422, "invalid_request", "One name cannot be that of several files", "name")
    uploads = []
    for file in files:
        with telling_which(file.filename or "", of_several=len(files) > 1):
            document = await workflow_in(server, file.file)
        uploads.append(Upload(fields.name or file.filename or "", document, fields.tags, fields.description))
    return uploads, fields.overwrite


def _switch(text: str) -> bool | str:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower(), text)


async def _from_body(server: Services, request: Request) -> tuple[list[Upload], bool]:
    """`{"name", "workflow"}`, or the workflow itself, whose name is in the address."""
    data, name = await request.body(), request.query_params.get("name")
    is_object = data.lstrip()[:1] == b"{"
    document = await _object(server, data) if is_object else None
    if document is None or is_bare_graph(document) or is_ui_format(document):
        body = await workflow_in(server, opened_bytes(data)) if document is None else document
        if not name:
            raise ApiError(422, "invalid_name", "The workflow has no name", "Give ?name=, or send name and workflow")
        return [Upload(name, body)], True
    fields = parsed(UploadBody, document)
    name = fields.name or fields.filename or name
    body = fields.workflow if fields.workflow is not None else document
    if not name:
        raise ApiError(422, "invalid_name", "The workflow has no name", 'Send {"name": text, "workflow": object}')
    return [Upload(name, body, fields.tags, fields.description)], fields.overwrite


async def _object(server: Services, data: bytes) -> dict[str, Any] | None:
    """A JSON object in UTF-8; None for files in other encodings, which are read as files."""
    try:
        document = await parse_json_anywhere(data, server.settings.max_json_depth)
    except ApiError as error:
        if error.kind != "invalid_json":
            raise
        return None
    return document if isinstance(document, dict) else None
