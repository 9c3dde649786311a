"""Reads an API-format workflow and changes its inputs as `--set` says."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inglenook.errors import WorkflowError


def read_workflow(path: Path) -> dict[str, Any]:
    """Return the graph in a file: node id -> node; `{"prompt": graph}` is unwrapped.

    Raises WorkflowError for what is not there, no JSON or no API-format workflow.
    """
    try:
        parsed = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise WorkflowError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise WorkflowError(f"{path} is not JSON: {error}") from error
    if isinstance(parsed, dict) and isinstance(parsed.get("prompt"), dict):
        parsed = parsed["prompt"]
    if isinstance(parsed, dict) and isinstance(parsed.get("nodes"), list):
        raise WorkflowError(f"{path} is in the editor's format; export it with 'Export (API)' or 'Save (API Format)'")
    if not isinstance(parsed, dict) or not parsed or not all(_is_node(node) for node in parsed.values()):
        raise WorkflowError(f'{path} is no API-format workflow: expected {{"1": {{"class_type": ..., "inputs": ...}}}}')
    return parsed


def _is_node(node: Any) -> bool:
    return isinstance(node, dict) and isinstance(node.get("class_type"), str)


def title(graph: Mapping[str, Any], node_id: str) -> str:
    """Return what a user calls a node: its title, else its class."""
    node = graph.get(node_id)
    if not isinstance(node, Mapping):
        return "node"
    meta = node.get("_meta")
    named = meta.get("title") if isinstance(meta, Mapping) else None
    return str(named or node.get("class_type", "node"))


InputNames = Callable[[str], Sequence[str]]
"""Node class -> names of the inputs that it declares; empty when the class is not known."""


def with_inputs(graph: Mapping[str, Any], assignments: Sequence[str], input_names: InputNames) -> dict[str, Any]:
    """Return the graph with `NODE.INPUT=VALUE` applied.

    NODE is an id, or a title or class that only one node has. VALUE is read as JSON and is text when it is none.
    Raises WorkflowError for an unknown node or input, with what there is.
    """
    changed = copy.deepcopy(dict(graph))
    for assignment in assignments:
        target, equals, value = assignment.partition("=")
        if not equals or "." not in target:
            raise WorkflowError(f'cannot read --set {assignment!r}: it looks like --set 6.text="a cat"')
        node_id, name = _find(changed, target)
        inputs = changed[node_id].setdefault("inputs", {})
        known = list(dict.fromkeys([*inputs, *input_names(changed[node_id]["class_type"])]))
        if name not in known:
            where = f"{title(changed, node_id)} (node {node_id})"
            raise WorkflowError(f"{where} has no input {name!r}; it has {', '.join(known) or 'none'}")
        inputs[name] = _value(value)
    return changed


def _find(graph: Mapping[str, Any], target: str) -> tuple[str, str]:
    """Split `NODE.INPUT`; both may have dots, so the longest name that is a node wins."""
    parts = target.split(".")
    splits = [(".".join(parts[:at]), ".".join(parts[at:])) for at in range(len(parts) - 1, 0, -1)]
    for node, name in splits:
        if node in graph:
            return node, name
    for node, name in splits:
        matches = [key for key in graph if node in (title(graph, key), graph[key]["class_type"])]
        if len(matches) == 1:
            return matches[0], name
        if matches:
            raise WorkflowError(f"{node!r} names several nodes: {', '.join(matches)}; use the id")
    nodes = ", ".join(f"{key} ({title(graph, key)})" for key in graph)
    raise WorkflowError(f"there is no node {splits[0][0]!r}; the workflow has {nodes}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
