"""What the routes of the workflow library answer, and the checks that they share."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

import orjson
from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from inglenook.api.errors import ApiError
from inglenook.api.gateway.workflow_parameters import ParameterModel
from inglenook.api.library_entries import ListedWorkflow
from inglenook.jobs.workflow_records import VersionRecord

MOST_TAGS = 50
LONGEST_TAG = 100
LONGEST_DESCRIPTION = 20_000

Filename = Annotated[str, Path(description="Name of the workflow, with or without `.json`", examples=["portrait.json"])]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Number of a version; the newest without it")]


class WorkflowSummary(BaseModel):
    """A stored workflow."""

    filename: str
    version: int = Field(description="The newest")
    format: Literal["api", "ui"]
    size_bytes: int
    description: str
    tags: list[str]
    sample: bool = Field(description="It ships with the server and cannot be changed, only copied")
    created_ms: int = Field(description="Milliseconds since the epoch; 0 for a sample")
    updated_ms: int
    url: str
    run_url: str
    thumbnail_url: str | None = Field(description="Null for a workflow that was never run")


class WorkflowPage(BaseModel):
    """A part of the list of workflows."""

    workflows: list[WorkflowSummary]
    page: int
    limit: int
    total: int
    has_more: bool
    tags: dict[str, int] = Field(description="Tags of all workflows that match, with how many have them")


class VersionModel(BaseModel):
    """A version of a workflow."""

    version: int
    format: Literal["api", "ui"]
    size_bytes: int
    created_ms: int
    origin: str = Field(description="How it came about: upload, update, copy, restore 3, sample")
    current: bool = Field(description="It is the newest")


class VersionsModel(BaseModel):
    """The versions of a workflow, the newest first."""

    filename: str
    versions: list[VersionModel]


class ResultModel(BaseModel):
    """What one output node makes."""

    node_id: str
    class_type: str
    title: str
    kind: Literal["image", "video", "audio", "text", "latent", "3d", "other"]
    is_preview: bool = Field(description="It saves nothing that stays")


class MissingFileModel(BaseModel):
    """A file that the workflow names and the server does not have."""

    node_id: str
    class_type: str
    input_name: str
    value: str
    folder: str
    near_matches: list[str]


class MissingModel(BaseModel):
    """What the workflow needs and the server does not have."""

    nodes: list[dict[str, Any]] = Field(description="Classes, with near matches")
    models: list[MissingFileModel]
    inputs: list[MissingFileModel] = Field(description="Pictures, sounds, videos of the input folder")


class WorkflowDetail(WorkflowSummary):
    """A version of a stored workflow, with all that is known of it."""

    shown_version: int = Field(description="The version that all of this is about")
    workflow: dict[str, Any] = Field(description="As it was stored")
    graph: dict[str, Any] = Field(description="In API format")
    parameters: list[ParameterModel]
    outputs: list[ResultModel]
    missing: MissingModel
    repairs: list[dict[str, Any]] = Field(description="What could not be taken as it was")
    versions: list[VersionModel]


class UploadedModel(BaseModel):
    """What has been stored."""

    filename: str = Field(description="Of the first workflow")
    version: int
    workflows: list[UploadedWorkflow]


class UploadedWorkflow(WorkflowSummary):
    """A workflow that has been stored."""

    is_new: bool = Field(description="There was none of this name")
    is_changed: bool = Field(description="There is a new version: it differs from the newest one that was there")
    parameters: list[ParameterModel]
    missing: MissingModel


UploadedModel.model_rebuild()


def summary(listed: ListedWorkflow) -> dict[str, Any]:
    """A workflow as `WorkflowSummary`."""
    place = quote(listed.name, safe="")
    return {
        "filename": listed.name,
        "version": listed.version,
        "format": listed.format,
        "size_bytes": listed.size_bytes,
        "description": listed.description,
        "tags": list(listed.tags),
        "sample": listed.is_sample,
        "created_ms": listed.created_ms,
        "updated_ms": listed.updated_ms,
        "url": f"/api/workflow/{place}",
        "run_url": f"/api/run/{place}",
        "thumbnail_url": f"/api/workflow/{place}/thumbnail" if listed.runs else None,
    }


def version_entry(listed: ListedWorkflow, one: VersionRecord) -> dict[str, Any]:
    """A version as `VersionModel`."""
    return {
        "version": one.version,
        "format": one.format,
        "size_bytes": one.size_bytes,
        "created_ms": one.created_ms,
        "origin": one.origin,
        "current": one.version == listed.version,
    }


# What clients send


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain NUL")
    return text


def _distinct(tags: list[str]) -> list[str]:
    return [tag for tag in dict.fromkeys(tags) if tag]


Text = Annotated[str, AfterValidator(_without_nul)]
_PLAIN = {"pattern": r"^[^\x00]*$"}
Tag = Annotated[Text, StringConstraints(strip_whitespace=True, max_length=LONGEST_TAG), Field(json_schema_extra=_PLAIN)]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS), AfterValidator(_distinct)]
Description = Annotated[Text, StringConstraints(max_length=LONGEST_DESCRIPTION), Field(json_schema_extra=_PLAIN)]
_UNSEEN = r"\x7f-\xa0\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
_NAME_LIKE = rf"[^/\\:*?\"<>|\x00-\x20.{_UNSEEN}][^/\\:*?\"<>|\x00-\x1f{_UNSEEN}]*"
"""What `workflow_name` takes, in short."""
NewName = Annotated[
    str,
    StringConstraints(max_length=1000),
    Field(json_schema_extra={"pattern": f"^{_NAME_LIKE}$", "maxLength": 195}),
]
NameOrNone = Annotated[
    str,
    StringConstraints(max_length=1000),
    Field(json_schema_extra={"pattern": f"^({_NAME_LIKE})?$", "maxLength": 195}),
]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""For JSON 2.0 is 2."""


class Body(BaseModel):
    """A JSON object that a client sends; fields that are not known are not looked at."""

    model_config = ConfigDict(extra="ignore", strict=True)


def json_documentation(model: type[Body], *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its JSON body itself."""
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": model.model_json_schema()}}}
    }


def tags_in_form(text: str) -> list[Any]:
    """Tags as a form has them: a JSON list, or separated by commas."""
    if text.lstrip().startswith("["):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise ApiError(422, "invalid_request", "The request does not fit this route", "tags: no JSON") from None
        return found if isinstance(found, list) else [found]
    return [tag for tag in text.replace("，", ",").split(",") if tag.strip()]
