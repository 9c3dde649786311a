"""What the routes of tasks take and answer, for `/docs` and for clients that are generated from `/openapi.json`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from inglenook.api.gateway.submitting import LARGEST_PRIORITY, LONGEST_TIMEOUT_S

Status = Literal["pending", "running", "success", "error", "cancelled", "timeout"]


class ErrorText(BaseModel):
    """What was wrong."""

    model_config = ConfigDict(extra="allow")

    type: str
    message: str
    details: Any = ""


class Refusal(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(extra="allow")

    error: ErrorText


class Webhook(BaseModel):
    """Where the end of a task is told."""

    url: str = Field(max_length=2000)
    events: list[str] | None = Field(None, max_length=20)
    secret: str | None = Field(None, max_length=500)


class TaskFields(BaseModel):
    """How a task is run."""

    timeout: float | None = Field(
        None, gt=0, le=LONGEST_TIMEOUT_S, allow_inf_nan=False, description="Seconds that it may run; waiting counts not"
    )
    priority: int = Field(
        0, ge=-LARGEST_PRIORITY, le=LARGEST_PRIORITY, description="Larger runs first; 0 is what `/prompt` has"
    )
    client_id: str | None = Field(None, max_length=1000, description="Socket that hears of the run")
    webhook: Webhook | str | None = Field(None, description="Address that is told of the end, or more about it")
    idempotency_key: str | None = Field(
        None, max_length=1000, description="The same key with the same request gives the same task"
    )
    extra_data: dict[str, Any] | None = Field(None, description="As `/prompt` takes it")


class SubmitRequest(TaskFields):
    """A workflow and values for its parameters."""

    workflow: Any = Field(description="A workflow of any format, or the name of a stored one")
    params: dict[str, Any] | None = Field(
        None, description="Parameter -> value: by name, `6.text`, `Title.text` or `class_type.text`"
    )
    partial_execution_targets: list[str | int] | None = Field(None, description="Ids of the output nodes to run")


class Repair(BaseModel):
    """One change without which the workflow would not run."""

    node_id: str
    kind: str
    message: str
    before: Any = None
    after: Any = None


class Accepted(BaseModel):
    """A task that is stored and will run."""

    task_id: str
    prompt_id: str = Field(description="The same id, under ComfyUI's name")
    status: Status
    position: int | None = Field(description="Place in the queue, 1 is next")
    number: float
    parameters: dict[str, Any] = Field(description="Values that were set, and seeds that were drawn")
    repairs: list[Repair]
    node_errors: dict[str, Any] = Field(description="Outputs that were left out, as ComfyUI tells them")


_TEXTS = {
    400: "The request or the workflow cannot be used",
    404: "There is no such thing",
    409: "It does not fit what is there",
    413: "Too large",
    422: "Values that do not fit; `details` lists them with what would",
    429: "The queue is full; `Retry-After` says when to try again",
    503: "The server is stopping, or its job store cannot answer",
    507: "The disk is full",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that answers with these statuses."""
    return {status: {"model": Refusal, "description": _TEXTS[status]} for status in statuses}


def inline_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model with what it refers to in place, for bodies that a route reads itself."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolve(value: Any) -> Any:
        if isinstance(value, list):
            return [resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return resolve(definitions[value["$ref"].rpartition("/")[2]])
        return {key: resolve(inner) for key, inner in value.items()}

    resolved: dict[str, Any] = resolve(schema)
    return resolved
