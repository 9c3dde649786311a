"""What the routes of tasks take and answer, for `/docs` and for clients that are generated from `/openapi.json`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from inglenook.api.gateway.submitting import LARGEST_PRIORITY, LONGEST_TIMEOUT_S
from inglenook.jobs import EVENTS

Status = Literal["pending", "running", "success", "error", "cancelled", "timeout"]


_ADDRESS: dict[str, Any] = {"pattern": "^https?://[A-Za-z0-9.-]+(:[1-9][0-9]{0,3})?(/[!-~]*)?$"}

_Event = Annotated[str, Field(json_schema_extra={"enum": list(EVENTS)})]


class Webhook(BaseModel):
    """Where the end of a task is told."""

    url: str = Field(max_length=2000, examples=["https://example.org/hook"], json_schema_extra=_ADDRESS)
    events: list[_Event] | None = Field(
        None, max_length=20, description="`task.succeeded` and others; the ends without it"
    )
    secret: str | None = Field(None, max_length=500, description="Signs what is sent")


def _no_flag(value: Any) -> Any:
    """Forms send numbers as texts, so these are taken; but nobody means a number by `true`."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


_NOT_A_FLAG = BeforeValidator(_no_flag)


class TaskFields(BaseModel):
    """How a task is run."""

    timeout: Annotated[float, _NOT_A_FLAG] | None = Field(
        None, gt=0, le=LONGEST_TIMEOUT_S, allow_inf_nan=False, description="Seconds that it may run; waiting counts not"
    )
    priority: Annotated[int, _NOT_A_FLAG] = Field(
        0, ge=-LARGEST_PRIORITY, le=LARGEST_PRIORITY, description="Larger runs first; 0 is what `/prompt` has"
    )
    client_id: str | None = Field(None, max_length=1000, description="Socket that hears of the run")
    webhook: Webhook | Annotated[str, Field(json_schema_extra=_ADDRESS)] | None = Field(
        None, description="Address that is told of the end, or more about it"
    )
    idempotency_key: str | None = Field(
        None, max_length=1000, description="The same key with the same request gives the same task"
    )
    extra_data: dict[str, Any] | None = Field(None, description="As `/prompt` takes it")


WORKFLOW: dict[str, Any] = {"anyOf": [{"type": "object", "minProperties": 1}, {"type": "string", "minLength": 1}]}


class SubmitRequest(TaskFields):
    """A workflow and values for its parameters."""

    workflow: Any = Field(
        description="A workflow of any format, or the name of a stored one", json_schema_extra=WORKFLOW
    )
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


Kind = Literal["image", "video", "audio", "3d", "latent", "text", "other"]


class Result(BaseModel):
    """A file that a task made, or a text."""

    kind: Kind
    node: str = Field(description="Id of the node that made it")
    url: str | None = Field(None, description="Where the file is fetched")
    filename: str | None = None
    subfolder: str | None = None
    type: str | None = Field(None, description="Folder: output, temp or input")
    text: str | None = Field(None, description="Of a node that shows text")


class TaskError(BaseModel):
    """Why a task failed."""

    model_config = ConfigDict(extra="allow")

    node_id: str | None = None
    message: str
    class_type: str | None = None
    title: str | None = Field(None, description="Of the node")
    type: str | None = Field(None, description="Of the exception")


class ListedTask(BaseModel):
    """A task in a list. Times are milliseconds since the epoch."""

    task_id: str
    prompt_id: str
    status: Status
    progress: float | None = Field(description="Percent of the nodes; null when it has not ended well")
    position: int | None = Field(description="Place in the queue, 1 is next")
    node: str | None = Field(description="Id of the node that runs")
    node_class: str | None
    node_title: str | None
    step: float | None = Field(description="Of the node, such as a step of a sampler")
    total_steps: float | None
    eta: float | None = Field(description="Seconds until it will have ended, by earlier runs and by its progress")
    outputs: dict[str, Any] = Field(description="Node id -> what it shows, as in `/history`")
    results: list[Result]
    error: TaskError | None
    workflow: str | None = Field(description="Name of the stored workflow")
    priority: int
    number: float
    timeout: float | None
    client_id: str | None
    attempts: int
    worker: str | None
    create_time: int
    execution_start_time: int | None
    execution_end_time: int | None
    duration: float | None = Field(description="Seconds that the last attempt took")


class Task(ListedTask):
    """A task."""

    parameters: dict[str, Any] = Field(description="Values that were set, and seeds that were drawn")
    repairs: list[Repair]
    retry_of: str | None = None
    batch_id: str | None = None


class Cancelled(BaseModel):
    """A task that was cancelled: at once when it waited; a running one ends within a step."""

    task_id: str
    prompt_id: str
    status: Literal["cancelled", "running"]
    cancelled: bool


class BatchAccepted(BaseModel):
    """Tasks that are stored and will run."""

    batch_id: str
    count: int
    task_ids: list[str] = Field(description="In the order of the sets; of a grid, the last parameter varies first")


class BatchTask(BaseModel):
    task_id: str
    index: int
    status: Status


class BatchState(BaseModel):
    """How far a batch is."""

    batch_id: str
    status: Status
    progress: float = Field(description="Percent of all")
    count: int
    counts: dict[Status, int]
    removed: int = Field(description="Tasks that have left the history")
    workflow: str | None
    create_time: int
    tasks: list[BatchTask]


class CancelledBatch(BaseModel):
    batch_id: str
    cancelled: int


class TaskEvent(BaseModel):
    """Something that happened to a task; more fields by its name."""

    model_config = ConfigDict(extra="allow")

    id: str
    event: Literal["state", "retry", "cached", "node_started", "node_done", "blocked", "progress", "text"]
    time: int = Field(description="Milliseconds since the epoch")


class FilePlace(BaseModel):
    filename: str
    subfolder: str
    type: str


class Deleted(BaseModel):
    """A task that is gone."""

    task_id: str
    deleted: bool
    files: list[FilePlace] = Field(description="Files that were removed with it")


class QueueState(BaseModel):
    paused: bool
    pending: int
    running: int


class Cleared(BaseModel):
    cleared: int = Field(description="How many tasks were cancelled")


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
