"""From the body of a `POST /prompt` to a durable job, whichever way it came: request, socket or gateway.

Order of effects: the counter advances, the graph is parsed and validated, secrets are taken out, the job is committed,
then the reply. Every refusal is a 400 in ComfyUI's shape, `{"error": {...}, "node_errors": {...}}`.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from starlette.responses import Response

from inglenook.api.comfy.extensions import reports
from inglenook.api.deps import Services
from inglenook.api.errors import JSONResponse
from inglenook.engine.graph import Graph, GraphError
from inglenook.engine.secrets import SECRET_KEYS
from inglenook.engine.validation import Validation, validate
from inglenook.errors import InglenookError
from inglenook.jobs import Conflict, Existing, Job, JobId

Result = TypeVar("Result")

_CATALOG_WAIT_S = 60.0
_LARGE_BODY = 50_000
"""Bytes from which on a graph is parsed and validated off the event loop: about 300 nodes, 2 ms."""


class PromptRefused(InglenookError):
    """A submission that is answered with ComfyUI's error shape."""

    def __init__(self, error: dict[str, Any], node_errors: Mapping[str, Any] | None = None, status: int = 400) -> None:
        super().__init__(str(error.get("message", "")))
        self.error = error
        self.node_errors = node_errors or {}
        self.status = status

    @classmethod
    def simple(cls, kind: str, text: str, details: str = "", status: int = 400) -> PromptRefused:
        return cls({"type": kind, "message": text, "details": details, "extra_info": {}}, status=status)

    def body(self) -> dict[str, Any]:
        """The answer's JSON."""
        return {"error": self.error, "node_errors": self.node_errors}

    def response(self) -> Response:
        return JSONResponse(self.body(), status_code=self.status)


async def submit_body(
    server: Services,
    body: Any,
    *,
    size_bytes: int = 0,
    idempotency_key: str | None = None,
    client_id: str | None = None,
    user: str | None = None,
    usage_source: str | None = None,
) -> dict[str, Any]:
    """Make a job of what a `POST /prompt` carries and return the reply: `prompt_id`, `number`, `node_errors`.

    size_bytes: of the body as it came; what takes long is done off the event loop. client_id: who hears of the run when
    the body names nobody. user: whose job it is, where users are told apart. usage_source: what the client is.
    Raises PromptRefused, whose `body()` is the answer, and QueueFull, ShuttingDown or what the store raises.
    """
    do = asyncio.to_thread if size_bytes > _LARGE_BODY else _at_once
    body = _normal_body(await server.questions.rewrite(body))
    number = _number(body, server.dispatcher.next_number())
    graph = await do(_parse, body["prompt"], server.settings.max_nodes)
    await server.catalogs.wait_for({node.class_type for node in graph.nodes.values()}, _CATALOG_WAIT_S)
    graph = server.catalogs.with_replacements(graph)
    class_types = frozenset(node.class_type for node in graph.nodes.values())
    validation, ask_validators = await _validate(server, do, graph, _targets(body))
    if validation.error is not None:
        raise PromptRefused(_with_packs(server, validation.error), validation.node_errors)
    origin = _Origin(idempotency_key, client_id, user, usage_source)
    job, secrets = await do(_job, body, number, validation.graph, validation.outputs, origin)
    outcome = await server.dispatcher.submit(job, class_types, secrets, ask_validators=ask_validators)
    if isinstance(outcome, Conflict):
        raise PromptRefused.simple(
            "prompt_id_conflict", "A different prompt with this id exists", f"prompt_id '{job.id[:200]}'", status=409
        )
    if isinstance(outcome, Existing) and job.client_id is not None:
        server.dispatcher.also_tell(outcome.job.id, job.client_id)
        await server.sockets.repeat(outcome.job.id, job.client_id)
    return {"prompt_id": outcome.job.id, "number": outcome.job.number, "node_errors": validation.node_errors}


def _with_packs(server: Services, error: dict[str, Any]) -> dict[str, Any]:
    """The refusal of an unknown class, with the packs that it may be missing from: `extra_info.packs`, name -> why."""
    if error["type"] != "missing_node_type":
        return error
    left_out = f"class {error['extra_info']['class_type']} is left out"
    packs = {
        report.name: report.error or next(warning for warning in report.warnings if warning.startswith(left_out))
        for report in reports(server)
        if report.error is not None or any(warning.startswith(left_out) for warning in report.warnings)
    }
    return {**error, "extra_info": {**error["extra_info"], "packs": packs}} if packs else error


async def _validate(
    server: Services, do: Callable[..., Any], graph: Graph, targets: Sequence[str] | None
) -> tuple[Validation, bool]:
    """Check a graph, the code of node packs included; with whether that code is still to be asked when the run starts.

    Lists of choices that packs make may have changed since they were told: before one refuses a value, it is asked for
    anew.
    """
    catalog = server.catalogs.current
    validation: Validation = await do(validate, graph, catalog, targets=targets)
    if server.questions.of_packs(_refused_by_choices(validation)):
        await server.questions.refresh()
        if server.catalogs.current is not catalog:
            catalog = server.catalogs.current
            validation = await do(validate, graph, catalog, targets=targets)
    if not validation.questions:
        return validation, False
    answers = await server.questions.validate(validation.questions)
    if answers is None:
        return validation, True
    return await do(validate, graph, catalog, targets=targets, answers=answers), False


def _refused_by_choices(validation: Validation) -> set[str]:
    """Classes of nodes with a value that is not in their list."""
    return {
        node["class_type"]
        for node in validation.node_errors.values()
        if any(reason["type"] == "value_not_in_list" for reason in node["errors"])
    }


async def _at_once(function: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
    return function(*arguments, **options)


def _normal_body(body: Any) -> dict[str, Any]:
    """Return the body with `prompt` in it; a bare graph is taken as one."""
    if not isinstance(body, dict):
        raise PromptRefused.simple(
            "no_prompt", "No prompt provided", f"the body is {type(body).__name__}, not an object"
        )
    if "prompt" in body:
        return body
    if body and all(isinstance(node, dict) and "class_type" in node for node in body.values()):
        return {"prompt": body}
    raise PromptRefused.simple("no_prompt", "No prompt provided", "No prompt provided")


def _parse(prompt: Any, max_nodes: int) -> Graph:
    try:
        return Graph.parse(prompt, max_nodes=max_nodes)
    except GraphError as error:
        raise PromptRefused(error.body()) from error


def _number(body: dict[str, Any], counted: int) -> int | float:
    if "number" in body and body["number"] is not None:
        given = body["number"]
        try:
            number = float(given)
        except (TypeError, ValueError) as error:
            raise PromptRefused.simple("invalid_prompt", "number must be a number", repr(given)[:200]) from error
        if not math.isfinite(number):
            raise PromptRefused.simple("invalid_prompt", "number must be finite", repr(given)[:200])
        return number
    return -counted if body.get("front") else counted


def _targets(body: dict[str, Any]) -> list[str] | None:
    targets = body.get("partial_execution_targets")
    if targets is None:
        return None
    if not isinstance(targets, list):
        raise PromptRefused.simple(
            "invalid_prompt", "partial_execution_targets must be a list of node ids", repr(targets)[:200]
        )
    return [str(target) for target in targets]


@dataclass(frozen=True, slots=True)
class _Origin:
    """What is known of a submission besides its body."""

    idempotency_key: str | None
    client_id: str | None
    user: str | None
    usage_source: str | None


def _job(
    body: dict[str, Any], number: int | float, graph: Graph, outputs: tuple[str, ...], origin: _Origin
) -> tuple[Job, dict[str, Any]]:
    now = time.time_ns() // 1_000_000
    extra_data = body.get("extra_data")
    if extra_data is None:
        extra_data = {}
    if not isinstance(extra_data, dict):
        raise PromptRefused.simple("invalid_prompt", "extra_data must be an object", repr(extra_data)[:200])
    secrets = {key: extra_data[key] for key in SECRET_KEYS if key in extra_data}
    extra_data = {key: value for key, value in extra_data.items() if key not in secrets}
    client_id = (
        body.get("client_id") or extra_data.get("client_id") or origin.client_id
    )  # some clients send "" for none
    if client_id is not None:
        client_id = str(client_id)
        extra_data["client_id"] = client_id
    if origin.usage_source is not None:
        extra_data.setdefault("comfy_usage_source", origin.usage_source)
    extra_data["create_time"] = now
    job = Job(
        id=_job_id(body, origin),
        number=number,
        graph=orjson.dumps(graph.to_json()),
        targets=outputs,
        fingerprint=_fingerprint(graph, outputs),
        created_ms=now,
        extra_data=extra_data,
        extra_json=orjson.dumps(extra_data),
        client_id=client_id,
        user=origin.user,
    )
    return job, secrets


def _job_id(body: dict[str, Any], origin: _Origin) -> JobId:
    given = body.get("prompt_id")
    if given is None:
        key = origin.idempotency_key
        if not key:
            return JobId(str(uuid.uuid4()))
        return JobId(str(uuid.uuid5(uuid.NAMESPACE_OID, key if origin.user is None else f"{origin.user}\n{key}")))
    job_id = str(given)
    if not job_id or len(job_id) > 200 or "\0" in job_id:
        raise PromptRefused.simple(
            "invalid_prompt_id", "prompt_id must have 1 to 200 characters, none of them NUL", repr(job_id)[:100]
        )
    return JobId(job_id)


def _fingerprint(graph: Graph, outputs: tuple[str, ...]) -> str:
    return hashlib.blake2b(orjson.dumps([graph.fingerprint(), outputs]), digest_size=16).hexdigest()
