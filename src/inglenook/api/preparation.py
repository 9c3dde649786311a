"""From a workflow as it was sent, in whatever format, to a graph that was checked and, where that was needed, repaired.

A valid graph in API format, which nearly all submissions are, is parsed and validated and nothing else: repairs are
looked for where validation refuses something.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import SystemRandom
from typing import Any

import orjson

from inglenook.api.asset_values import with_hashed_files, with_named_files
from inglenook.api.collection import collection_paused
from inglenook.api.comfy.extensions import reports
from inglenook.api.deps import Services
from inglenook.api.errors import ApiError
from inglenook.api.refusal import PromptRefused
from inglenook.api.workflow_files import parse_document
from inglenook.demo import load_workflow
from inglenook.dispatch.needs import Needs, needs, needs_of
from inglenook.dispatch.pool import difference
from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph, GraphError
from inglenook.engine.validation import Validation, validate
from inglenook.workflows import (
    OldWidgets,
    Repair,
    WorkflowFormatError,
    apply_widget_values,
    fill_prompt,
    find_missing,
    is_text_of_workflow,
    is_ui_format,
    needed_classes,
    normalize,
    repair,
    unwrap,
    with_hints,
)

logger = logging.getLogger(__name__)

CATALOG_WAIT_S = 60.0
_LOGGED_REPAIRS = 20
_RANDOM = SystemRandom()

Do = Callable[..., Awaitable[Any]]
"""Calls a function with arguments: at once, or in a thread."""


@dataclass(frozen=True, slots=True)
class Read:
    """A workflow as a graph that was not checked yet."""

    graph: Graph
    sent: str | None = None
    """Digest of what the client sent, where that was no graph."""
    repairs: tuple[Repair, ...] = ()
    workflow: Mapping[str, Any] | None = None
    """The document of the editor that it was made of."""


@dataclass(frozen=True, slots=True)
class ValuesSet:
    """A graph in which the values of a request stand."""

    graph: Graph
    used: Mapping[str, Any]
    """Parameter -> the value that it has now; drawn seeds too."""
    given: Mapping[str, Any]
    """What was asked for, before anything was drawn: equal for equal work."""
    repairs: tuple[Repair, ...] = ()


SetValues = Callable[[Graph], Awaitable[ValuesSet | None]]
"""None: there was nothing to set."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A graph that can run."""

    validation: Validation
    ask_validators: bool
    """The code of node packs could not be asked yet."""
    sent: str | None
    sent_graph: Graph
    """What the client sent: a digest, or a graph. Equal for equal work, whatever was drawn at random for it."""
    repairs: tuple[Repair, ...]
    workflow: Mapping[str, Any] | None
    needs: Needs
    """What a worker must have to run it."""
    used: Mapping[str, Any] = field(default_factory=dict)
    """Parameter -> value, where the request set some, and seeds that were drawn."""


async def prepare(
    server: Services,
    payload: Any,
    targets: Sequence[str] | None,
    do: Do,
    *,
    strict: bool,
    user: str | None,
    set_values: SetValues | None = None,
) -> Prepared:
    """Read, check and repair a workflow. strict: without repairs. set_values: puts values into the graph that was read.

    user: whose assets it may name; None: everybody's.

    Raises PromptRefused, and what `set_values` raises.
    """
    try:
        read = await _read(server, payload, do)
    except WorkflowFormatError as error:
        raise PromptRefused.simple("invalid_prompt", "The workflow cannot be read", str(error)) from error
    except ApiError as error:
        raise PromptRefused.simple(error.kind, error.message, error.details, error.status) from error
    except GraphError as error:
        raise PromptRefused(error.body()) from error
    graph, repairs = read.graph, read.repairs
    if not strict:
        edited = await do(apply_widget_values, graph, server.catalogs.current)
        graph, repairs = edited.graph, (*repairs, *edited.repairs)
    values = None if set_values is None else await set_values(graph)
    if values is not None:
        graph, repairs = values.graph, (*repairs, *values.repairs)
    graph, of_assets = await with_hashed_files(server, graph, user)
    validation, found, ask_validators = await _check(server, do, graph, targets, strict=strict, user=user)
    repairs = (*repairs, *of_assets, *found)
    if validation.error is not None:
        refusal = await _with_packs(server, validation.error, graph, strict=strict)
        raise PromptRefused(refusal, validation.node_errors)
    for one in repairs[:_LOGGED_REPAIRS]:
        logger.info("repaired node %s: %s", one.node_id, one.message)
    if len(repairs) > _LOGGED_REPAIRS:
        logger.info("%d more repairs of the same workflow", len(repairs) - _LOGGED_REPAIRS)
    used = _drawn_seeds(validation.graph, found)
    sent = read.sent
    if values is not None:
        sent = _digest([read.sent or read.graph.fingerprint(), values.given])
        used = {**used, **values.used}
    sent_graph = read.graph if repairs else validation.graph
    needed = await do(needs_of, validation.graph, validation.outputs, server.catalogs.current)
    _check_workers(server, needed)
    return Prepared(validation, ask_validators, sent, sent_graph, repairs, read.workflow, needed, used)


def _drawn_seeds(graph: Graph, repairs: Sequence[Repair]) -> dict[str, Any]:
    """`id.input` -> seed, of the seeds that were drawn while the workflow was repaired."""
    seeds = {}
    for one in repairs:
        node = graph.nodes.get(one.node_id) if one.kind == "seed_drawn" else None
        for name, value in node.inputs.items() if node is not None else ():
            if value == one.after and "seed" in name:
                seeds[f"{one.node_id}.{name}"] = value
    return seeds


async def _read(server: Services, payload: Any, do: Do) -> Read:
    settings = server.settings
    if isinstance(payload, str) and not await do(is_text_of_workflow, payload):
        return await _read_text(server, payload, do)
    document = await do(unwrap, payload, lambda data: parse_document(data, settings.max_json_depth))
    if is_ui_format(document):
        return await _read_ui(server, document)
    graph: Graph = await do(_parse, document, settings.max_nodes)
    await server.catalogs.wait_for({node.class_type for node in graph.nodes.values()}, CATALOG_WAIT_S)
    return Read(server.catalogs.with_replacements(graph))


def _parse(document: Any, max_nodes: int) -> Graph:
    return Graph.parse(document, max_nodes=max_nodes)


async def _read_ui(server: Services, document: Mapping[str, Any]) -> Read:
    """Convert a workflow of the editor; always in a thread, since that takes ten times as long as parsing a graph."""
    await server.catalogs.wait_for(await asyncio.to_thread(needed_classes, document), CATALOG_WAIT_S)
    catalog, old_widgets = server.catalogs.current, server.catalogs.old_widgets()
    read = await asyncio.to_thread(_convert, document, catalog, old_widgets, server.settings.max_nodes)
    return replace(read, graph=server.catalogs.with_replacements(read.graph))


def _convert(document: Mapping[str, Any], catalog: Catalog, old_widgets: OldWidgets, max_nodes: int) -> Read:
    with collection_paused():
        normalized = normalize(document, catalog, max_nodes=max_nodes, old_widgets=old_widgets, random=_RANDOM)
        return Read(_parse(normalized.graph, max_nodes), _digest(document), normalized.repairs, document)


async def _read_text(server: Services, text: str, do: Do) -> Read:
    """Fill a plain text into the default workflow."""
    if not text.strip():
        raise PromptRefused.simple("no_prompt", "No prompt provided", "the prompt is an empty text")
    path = server.settings.default_workflow
    try:
        document = await asyncio.to_thread(_default_workflow, path, server.settings.max_json_depth)
        if isinstance(document, str):
            raise WorkflowFormatError("it is a text")
        read = await _read(server, document, do)
        filled = fill_prompt(read.graph, text, server.catalogs.current, _RANDOM)
    except (WorkflowFormatError, GraphError, OSError, ApiError) as error:
        logger.error("the default workflow %s cannot be used: %s", path or "of the demo", error)
        reason = "it cannot be read" if isinstance(error, OSError) else str(error)
        raise PromptRefused.simple("invalid_prompt", "The default workflow cannot be used", reason) from error
    return replace(read, graph=filled.graph, sent=_digest(text), repairs=(*read.repairs, *filled.repairs))


def _default_workflow(path: Path | None, max_depth: int) -> Any:
    return load_workflow() if path is None else parse_document(path.expanduser().read_bytes(), max_depth)


def _digest(document: Any) -> str:
    encoded = orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


async def _check(
    server: Services, do: Do, graph: Graph, targets: Sequence[str] | None, *, strict: bool, user: str | None
) -> tuple[Validation, tuple[Repair, ...], bool]:
    """Check a graph, the code of node packs included; with repairs, and whether that code is still to be asked.

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
    repairs: tuple[Repair, ...] = ()
    if validation.node_errors:
        graph, repairs = await with_named_files(server, graph, validation.node_errors.keys(), user)
        if repairs:
            validation = await do(validate, graph, catalog, targets=targets)
    if validation.node_errors and not strict:
        repaired = await do(repair, graph, validation, catalog, _RANDOM)
        repairs = (*repairs, *repaired.repairs)
        if repaired.repairs:
            graph = repaired.graph
            validation = await do(validate, graph, catalog, targets=targets)
    ask_validators = False
    if validation.questions:
        answers = await server.questions.validate(validation.questions)
        ask_validators = answers is None
        if answers is not None:
            validation = await do(validate, graph, catalog, targets=targets, answers=answers)
    if validation.node_errors and not strict:
        validation = await do(with_hints, validation)
    return validation, repairs, ask_validators


def _refused_by_choices(validation: Validation) -> set[str]:
    """Classes of nodes with a value that is not in their list."""
    return {
        node["class_type"]
        for node in validation.node_errors.values()
        if any(reason["type"] == "value_not_in_list" for reason in node["errors"])
    }


def _check_workers(server: Services, needed: Needs) -> None:
    """Raise PromptRefused where every class and every model is on some worker, but no worker has all of them."""
    members = server.dispatcher.members
    if len(members) < 2 or members.is_runnable(needed):
        return
    lacking = members.lacking(needed)
    said = "; ".join(difference(name, found) for name, found in lacking.items())
    kind = "missing_node_type"
    if members.knows_all_classes(needed):
        has_choices = any(found["choices"] for found in lacking.values())
        kind = "value_not_in_list" if has_choices else "required_input_missing"
    message = "No server has all that this workflow needs"
    raise PromptRefused({"type": kind, "message": message, "details": said[:2000], "extra_info": {"workers": lacking}})


async def _with_packs(server: Services, error: dict[str, Any], graph: Graph, *, strict: bool) -> dict[str, Any]:
    """The refusal of an unknown class, with every class that is unknown, and the packs that it may be missing from.

    `extra_info.missing`: see `MissingClass`. `extra_info.packs`: name -> why it is left out.
    """
    if error["type"] != "missing_node_type" or strict:
        return error
    nodes = [(node.class_type, node.id, node.title) for node in graph.nodes.values()]
    missing = await asyncio.to_thread(find_missing, nodes, server.catalogs.current)
    more: dict[str, Any] = {"missing": [one.to_json() for one in missing]}
    left_out = f"class {error['extra_info']['class_type']} is left out"
    packs = {
        report.name: report.error or next(warning for warning in report.warnings if warning.startswith(left_out))
        for report in reports(server)
        if report.error is not None or any(warning.startswith(left_out) for warning in report.warnings)
    }
    if packs:
        more["packs"] = packs
    if len(server.dispatcher.members) > 1:
        more["workers"] = server.dispatcher.members.lacking(needs(node[0] for node in nodes))
    return {**error, "extra_info": {**error["extra_info"], **more}}
