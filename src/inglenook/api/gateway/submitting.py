"""From a workflow and values for its parameters to a durable task: what every route that runs something calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import UploadFile

from inglenook.api.comfy.entries import SHORT_STATUS
from inglenook.api.deps import Services
from inglenook.api.errors import ApiError
from inglenook.api.gateway.media_values import store_files, without_files
from inglenook.api.gateway.stored_workflows import stored_document
from inglenook.api.gateway.webhooks import webhook_of
from inglenook.api.library_entries import ListedWorkflow
from inglenook.api.preparation import SetValues, ValuesSet
from inglenook.api.submission import NewJob, Origin, Submitted, Terms, at_once, make_job, notes_of, repairs_of, submit
from inglenook.engine.graph import Graph
from inglenook.jobs import Webhook
from inglenook.workflows import is_text_of_workflow
from inglenook.workflows.parameter import Parameter, ParameterError
from inglenook.workflows.parameters import apply, problems_of, recognise

MOST_PARAMETERS = 5_000
LARGEST_PRIORITY = 1_000_000
LONGEST_TIMEOUT_S = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class TaskAccepted:
    """A task that is durable. Its id is the prompt's and the job's."""

    task_id: str
    status: str
    """pending or running; of a task that was known already perhaps how it ended."""
    position: int | None
    """Place in the queue, 1 is next; None when it does not wait."""
    number: int | float
    parameters: Mapping[str, Any]
    """Parameter -> value, of those that were given and of seeds that were drawn."""
    repairs: Sequence[Any]
    node_errors: Mapping[str, Any]
    """Outputs that were left out, as ComfyUI tells them."""
    is_new: bool
    """False when the same task was accepted before, under the same idempotency key."""

    @property
    def prompt_id(self) -> str:
        return self.task_id

    def to_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "prompt_id": self.task_id,
            "status": self.status,
            "position": self.position,
            "number": self.number,
            "parameters": dict(self.parameters),
            "repairs": list(self.repairs),
            "node_errors": dict(self.node_errors),
        }


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """What is to run, and how."""

    workflow: Any
    """A document of any format, JSON text, or the name of a stored workflow."""
    params: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, UploadFile] = field(default_factory=dict)
    """Files of a form by the address of their parameter."""
    timeout_s: float | None = None
    priority: int = 0
    """Larger runs first."""
    client_id: str | None = None
    webhook: Mapping[str, Any] | str | None = None
    """Who is told of the end: a URL, or `{"url", "events", "secret"}`."""
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    targets: Sequence[str] | None = None
    """Ids of the output nodes to run; all when None."""
    workflow_name: str | None = None
    """Of a stored workflow that was read already."""
    listed: ListedWorkflow | None = None
    """The stored workflow in the library, which remembers its last tasks."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """More to be stored with the job, where clients can read it."""
    size_bytes: int = 0
    """Of the request; what is large is worked on in threads."""


async def submit_task(
    server: Services,
    *,
    user: str,
    workflow: Any,
    params: Mapping[str, Any] | None = None,
    files: Mapping[str, UploadFile] | None = None,
    timeout: float | None = None,
    priority: int = 0,
    client_id: str | None = None,
    webhook: Mapping[str, Any] | str | None = None,
    idempotency_key: str | None = None,
    extra_data: Mapping[str, Any] | None = None,
    targets: Sequence[str] | None = None,
    workflow_name: str | None = None,
    listed: ListedWorkflow | None = None,
    size_bytes: int = 0,
) -> TaskAccepted:
    """Make a durable task; the arguments are explained at `TaskRequest`.

    The same idempotency key with the same request gives the same task.
    Raises ApiError (404 for an unknown stored workflow), ParameterError, PromptRefused (409 when the key is taken by
    another request), QueueFull, ShuttingDown and what the store raises.
    """
    request = TaskRequest(
        workflow=workflow,
        params=params or {},
        files=files or {},
        timeout_s=timeout,
        priority=priority,
        client_id=client_id,
        webhook=webhook,
        extra_data=extra_data or {},
        targets=targets,
        workflow_name=workflow_name if listed is None else listed.name,
        listed=listed,
        size_bytes=size_bytes,
    )
    request = await with_document(server, request, user)
    submitted = await submit(
        server,
        _body(request),
        size_bytes=request.size_bytes,
        origin=_origin(server, user, idempotency_key),
        terms=_terms(server, request),
        set_values=_setter(server, request),
    )
    if request.listed is not None and submitted.is_new:
        await server.library.note_run(request.listed, submitted.job.id)
    return accepted(server, submitted)


async def make_task(server: Services, request: TaskRequest, *, user: str) -> NewJob:
    """Read and check a task without accepting it. Raises what `submit_task` raises."""
    request = await with_document(server, request, user)
    return await make_job(
        server,
        _body(request),
        size_bytes=request.size_bytes,
        origin=_origin(server, user, None),
        terms=_terms(server, request),
        set_values=_setter(server, request),
    )


def accepted(server: Services, submitted: Submitted) -> TaskAccepted:
    """What is told of a task that was accepted."""
    job = submitted.job
    run = server.dispatcher.find(job.id)
    notes = notes_of(job)
    return TaskAccepted(
        task_id=job.id,
        status=SHORT_STATUS[(job if run is None else run.job).state],
        position=server.dispatcher.position(job.id),
        number=job.number,
        parameters=notes.get("parameters", {}),
        repairs=repairs_of(job),
        node_errors=submitted.node_errors,
        is_new=submitted.is_new,
    )


async def with_document(server: Services, request: TaskRequest, user: str) -> TaskRequest:
    """The request with the document of a workflow that it names."""
    name = request.workflow
    if not isinstance(name, str) or is_text_of_workflow(name):
        return request
    if not name.strip() or len(name) > 1000:
        raise ApiError(404, "workflow_not_found", "There is no stored workflow of this name", name[:200])
    document, listed = await stored_document(server, user, name)
    size_bytes = max(request.size_bytes, _LARGE)
    shown = name if listed is None else listed.name
    return replace(request, workflow=document, workflow_name=shown, listed=listed, size_bytes=size_bytes)


_LARGE = 1 << 20
"""A stored workflow may be large: it is worked on in threads."""


def _origin(server: Services, user: str, idempotency_key: str | None) -> Origin:
    return Origin(idempotency_key=idempotency_key or None, user=user if server.settings.multi_user else None)


def _body(request: TaskRequest) -> dict[str, Any]:
    """The request as a body of `POST /prompt`."""
    body: dict[str, Any] = {"prompt": request.workflow}
    if request.extra_data:
        body["extra_data"] = dict(request.extra_data)
    if request.client_id:
        body["client_id"] = request.client_id
    if request.targets is not None:
        body["partial_execution_targets"] = list(request.targets)
    return body


def _terms(server: Services, request: TaskRequest) -> Terms:
    limit_s = server.settings.job_timeout_s
    timeout_s = request.timeout_s
    if timeout_s is not None and limit_s is not None:
        timeout_s = min(timeout_s, limit_s)
    return Terms(
        priority=request.priority,
        timeout_s=timeout_s,
        notes=request.notes,
        workflow_name=request.workflow_name,
        webhooks=webhooks_of(server, request),
    )


def webhooks_of(server: Services, request: TaskRequest) -> tuple[Webhook, ...]:
    """Who is told of a task. Raises ApiError 422."""
    return () if request.webhook is None else (webhook_of(server, request.webhook),)


def _setter(server: Services, request: TaskRequest) -> SetValues:
    """What puts the values of a request into its graph, and draws the seeds that are to be drawn."""
    if len(request.params) + len(request.files) > MOST_PARAMETERS:
        raise ApiError(422, "invalid_parameters", f"More than {MOST_PARAMETERS} parameters are given")

    is_strict = server.settings.strict or request.extra_data.get("strict") is True

    async def set_values(graph: Graph) -> ValuesSet | None:
        if not request.params and not request.files and (is_strict or not _draws_seeds(graph)):
            return None
        do = asyncio.to_thread if request.size_bytes > _SMALL or len(graph.nodes) > _FEW_NODES else at_once
        document, catalog = graph.to_json(), server.catalogs.current
        key = await do(server.recognised.key, document)
        parameters = server.recognised.get(catalog, key)
        is_old = parameters is not None
        if parameters is None:
            parameters = await do(recognise, document, catalog)
            server.recognised.put(catalog, key, parameters)
        try:
            values = await store_files(server, document, parameters, request.params, request.files)
        except ParameterError as error:
            others = without_files(request.params)
            raise ParameterError(
                [*error.problems, *await do(problems_of, document, parameters, others, catalog)]
            ) from error
        try:
            found: ValuesSet = await do(_apply, server, document, parameters, values)
        except ParameterError:
            if not is_old:
                raise
            parameters = await do(recognise, document, catalog)  # a list of files may have changed
            server.recognised.put(catalog, key, parameters)
            found = await do(_apply, server, document, parameters, values)
        return found

    return set_values


def _draws_seeds(graph: Graph) -> bool:
    """Whether an input that may be a seed is -1: the value drawn is told under the name of its parameter."""
    return any(
        type(value) is int and value == -1 and "seed" in name
        for node in graph.nodes.values()
        for name, value in node.inputs.items()
    )


_SMALL = 50_000
_FEW_NODES = 100


def _apply(
    server: Services, document: Mapping[str, Any], parameters: Sequence[Parameter], values: Mapping[str, Any]
) -> ValuesSet:
    applied = apply(document, parameters, values, server.catalogs.current)
    changed = Graph.parse(applied.graph, max_nodes=server.settings.max_nodes)
    return ValuesSet(changed, applied.used, values, applied.repairs)
