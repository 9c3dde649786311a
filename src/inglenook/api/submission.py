"""From the body of a `POST /prompt` to a durable job, whichever way it came: request, socket or gateway.

Order of effects: the counter advances, the workflow is made a checked graph (`preparation`), secrets are taken out, the
job is committed, then the reply. Every refusal is a 400 in ComfyUI's shape, `{"error": {...}, "node_errors": {...}}`.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from inglenook.api.access.caller import caller_keys
from inglenook.api.deps import Services
from inglenook.api.preparation import Prepared, SetValues, prepare
from inglenook.api.refusal import PromptRefused
from inglenook.dispatch.needs import Needs
from inglenook.engine.secrets import SECRET_KEYS, split_secrets
from inglenook.jobs import Added, Conflict, Existing, Job, JobId, Webhook
from inglenook.workflows import is_bare_graph, is_ui_format

__all__ = [
    "PLAIN",
    "NewJob",
    "Origin",
    "PromptRefused",
    "Submitted",
    "Terms",
    "at_once",
    "id_of_key",
    "make_job",
    "notes_of",
    "repairs_of",
    "submit",
    "submit_body",
]

Result = TypeVar("Result")

OWN_KEY = "inglenook"
"""Where a job's extra data holds what is to be remembered of its submission; what a client sends there is left out."""
_MOST_REPAIRS = 1000
_LARGE_BODY = 50_000
"""Bytes from which on a graph is parsed and validated off the event loop: about 300 nodes, 2 ms."""


async def submit_body(
    server: Services,
    body: Any,
    *,
    size_bytes: int = 0,
    idempotency_key: str | None = None,
    client_id: str | None = None,
    user: str | None = None,
    usage_source: str | None = None,
    webhooks: Sequence[Webhook] = (),
) -> dict[str, Any]:
    """Make a job of what a `POST /prompt` carries and return the reply.

    That is `prompt_id`, `number`, `node_errors`, and `repairs` where there are some. The arguments and what is raised
    are those of `submit`.
    """
    origin = Origin(idempotency_key, client_id, user, usage_source)
    terms = Terms(webhooks=webhooks)
    submitted = await submit(server, body, size_bytes=size_bytes, origin=origin, terms=terms)
    job = submitted.job
    reply = {"prompt_id": job.id, "number": job.number, "node_errors": submitted.node_errors}
    repairs = repairs_of(job)
    return {**reply, "repairs": repairs} if repairs else reply


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a submission besides its body."""

    idempotency_key: str | None = None
    client_id: str | None = None
    """Who hears of the run when the body names nobody."""
    user: str | None = None
    """Whose job it is, where users are told apart."""
    usage_source: str | None = None
    """What the client is."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a job is to be run, and what is to be remembered of it."""

    priority: int = 0
    timeout_s: float | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Stored with the job under `OWN_KEY`, where clients can read it."""
    workflow_name: str | None = None
    """Of the stored workflow that it is made from."""
    webhooks: Sequence[Webhook] = ()
    """Who else is told of the job; `server.webhooks.check` has looked at their URLs."""


PLAIN = Terms()


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job that is durable now, or was already."""

    job: Job
    is_new: bool
    node_errors: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that can be handed to the dispatcher."""

    job: Job
    needs: Needs
    secrets: dict[str, Any]
    ask_validators: bool
    node_errors: Mapping[str, Any]


async def submit(
    server: Services,
    body: Any,
    *,
    size_bytes: int = 0,
    origin: Origin,
    terms: Terms = PLAIN,
    set_values: SetValues | None = None,
) -> Submitted:
    """Make a durable job of a body as `POST /prompt` takes it. size_bytes: of the body as it came.

    Raises PromptRefused, whose `body()` is the answer, and QueueFull, ShuttingDown or what the store raises.
    """
    new = await make_job(server, body, size_bytes=size_bytes, origin=origin, terms=terms, set_values=set_values)
    outcome = await server.dispatcher.submit(
        new.job, new.needs, new.secrets, ask_validators=new.ask_validators, webhooks=terms.webhooks
    )
    if isinstance(outcome, Conflict):
        raise PromptRefused.simple(
            "prompt_id_conflict",
            "A different prompt with this id exists",
            f"prompt_id '{new.job.id[:200]}'",
            status=409,
        )
    if isinstance(outcome, Existing) and new.job.client_id is not None:
        server.dispatcher.also_tell(outcome.job.id, new.job.client_id)
        await server.sockets.repeat(outcome.job.id, new.job.client_id)
    return Submitted(outcome.job, isinstance(outcome, Added), new.node_errors)


async def make_job(
    server: Services,
    body: Any,
    *,
    size_bytes: int = 0,
    origin: Origin,
    terms: Terms = PLAIN,
    set_values: SetValues | None = None,
) -> NewJob:
    """Read and check a body as `submit` does, and stop before the job is queued. What takes long is done in threads."""
    do = asyncio.to_thread if size_bytes > _LARGE_BODY else at_once
    body, secrets = await do(split_secrets, body, caller_keys())  # first of all: packs that rewrite prompts get none
    body = await server.questions.rewrite(body)
    payload, body = _payload(body)
    number = _number(body, server.dispatcher.next_number())
    strict = server.settings.strict or _is_strict(body)
    prepared = await prepare(
        server, payload, _targets(body), do, strict=strict, user=origin.user, set_values=set_values
    )
    job, more_secrets = await do(_job, body, number, prepared, origin, terms)
    return NewJob(
        job,
        prepared.needs,
        {**more_secrets, **secrets},
        prepared.ask_validators,
        prepared.validation.node_errors,
    )


def notes_of(job: Job) -> dict[str, Any]:
    """What is remembered of a job's submission: `repairs`, `parameters` and what its `Terms` said."""
    notes = job.all_extra_data().get(OWN_KEY)
    return notes if isinstance(notes, dict) else {}


def repairs_of(job: Job) -> list[Any]:
    """What was changed in the workflow of a job when it was submitted: `[{node_id, kind, message, before, after}]`."""
    repairs = notes_of(job).get("repairs")
    return repairs if isinstance(repairs, list) else []


async def at_once(function: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
    """Call a function, where another would call it in a thread."""
    return function(*arguments, **options)


def _payload(body: Any) -> tuple[Any, dict[str, Any]]:
    """The workflow in a body, and the fields beside it: `prompt` or `workflow`, or the body itself."""
    if not isinstance(body, dict):
        raise PromptRefused.simple(
            "no_prompt", "No prompt provided", f"the body is {type(body).__name__}, not an object"
        )
    if is_bare_graph(body) or is_ui_format(body):
        return body, {}
    for key in ("prompt", "output", "workflow"):
        if body.get(key) is not None:
            return body[key], body
    if "prompt" in body:
        return None, body
    raise PromptRefused.simple("no_prompt", "No prompt provided", "No prompt provided")


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


def _extra_data(body: dict[str, Any]) -> dict[str, Any]:
    extra_data = body.get("extra_data")
    if extra_data is None:
        return {}
    if not isinstance(extra_data, dict):
        raise PromptRefused.simple("invalid_prompt", "extra_data must be an object", repr(extra_data)[:200])
    return extra_data


def _is_strict(body: dict[str, Any]) -> bool:
    strict = _extra_data(body).get("strict")
    if strict is not None and not isinstance(strict, bool):
        raise PromptRefused.simple("invalid_prompt", "extra_data.strict must be true or false", repr(strict)[:200])
    return strict is True


def _job(
    body: dict[str, Any], number: int | float, prepared: Prepared, origin: Origin, terms: Terms
) -> tuple[Job, dict[str, Any]]:
    now = time.time_ns() // 1_000_000
    extra_data = _extra_data(body)
    secrets = {key: extra_data[key] for key in SECRET_KEYS if key in extra_data}
    extra_data = {key: value for key, value in extra_data.items() if key not in secrets and key != OWN_KEY}
    client_id = (
        body.get("client_id") or extra_data.get("client_id") or origin.client_id
    )  # some clients send "" for none
    if client_id is not None:
        client_id = str(client_id)
        extra_data["client_id"] = client_id
    if origin.usage_source is not None:
        extra_data.setdefault("comfy_usage_source", origin.usage_source)
    extra_data["create_time"] = now
    notes = dict(terms.notes)
    if prepared.repairs:
        notes["repairs"] = [one.to_json() for one in prepared.repairs[:_MOST_REPAIRS]]
    if prepared.used:
        notes["parameters"] = dict(prepared.used)
    if notes:
        extra_data[OWN_KEY] = notes
    if prepared.workflow is not None:
        _add_workflow(extra_data, prepared.workflow)
    job = Job(
        id=_job_id(body, origin),
        number=number,
        graph=orjson.dumps(prepared.validation.graph.to_json()),
        targets=prepared.validation.outputs,
        fingerprint=_fingerprint(prepared),
        created_ms=now,
        extra_data=extra_data,
        extra_json=orjson.dumps(extra_data),
        client_id=client_id,
        user=origin.user,
        priority=terms.priority,
        timeout_s=terms.timeout_s,
        workflow_name=terms.workflow_name,
    )
    return job, secrets


def _add_workflow(extra_data: dict[str, Any], workflow: Mapping[str, Any]) -> None:
    """Have saved files carry the editor's workflow that was sent, as if the editor had sent its graph."""
    info = extra_data.get("extra_pnginfo")
    if info is None or (isinstance(info, dict) and "workflow" not in info):
        extra_data["extra_pnginfo"] = {**(info or {}), "workflow": workflow}


def _job_id(body: dict[str, Any], origin: Origin) -> JobId:
    given = body.get("prompt_id")
    if given is None:
        key = origin.idempotency_key
        if not key:
            return JobId(str(uuid.uuid4()))
        return id_of_key(key, origin.user)
    job_id = str(given)
    if not job_id or len(job_id) > 200 or "\0" in job_id:
        raise PromptRefused.simple(
            "invalid_prompt_id", "prompt_id must have 1 to 200 characters, none of them NUL", repr(job_id)[:100]
        )
    return JobId(job_id)


def id_of_key(key: str, user: str | None) -> JobId:
    """The id of the job that an idempotency key of a user stands for."""
    return JobId(str(uuid.uuid5(uuid.NAMESPACE_OID, key if user is None else f"{user}\n{key}")))


def _fingerprint(prepared: Prepared) -> str:
    work = [prepared.sent or prepared.sent_graph.fingerprint(), prepared.validation.outputs]
    return hashlib.blake2b(orjson.dumps(work), digest_size=16).hexdigest()
