"""Classes that were replaced by others: graphs that name the old one are rewritten before validation."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from inglenook.engine.graph import Graph, Link, ListConstant, Node


class NodeReplacement(msgspec.Struct, frozen=True):
    """One way to replace a class, as `/node_replacements` shows it."""

    new_node_id: str
    old_node_id: str
    old_widget_ids: list[str] | None = None
    input_mapping: list[dict[str, Any]] | None = None
    """`{"new_id", "old_id"}` copies an input, `{"new_id", "set_value"}` sets one; None: no inputs are kept."""
    output_mapping: list[dict[str, int]] | None = None
    """`{"new_idx", "old_idx"}`; None: slots stay as they are."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A node that was rewritten."""

    node_id: str
    old_class: str
    new_class: str


def replace_nodes(
    graph: Graph, classes: Container[str], replacements: Mapping[str, Sequence[NodeReplacement]]
) -> tuple[Graph, list[Replaced]]:
    """Rewrite nodes of unknown classes by the first replacement whose new class is among `classes`."""
    chosen = {
        node.id: replacement
        for node in graph.nodes.values()
        if node.class_type not in classes
        and (replacement := _first_known(replacements.get(node.class_type, ()), classes)) is not None
    }
    if not chosen:
        return graph, []
    nodes = dict(graph.nodes)
    for node_id, replacement in chosen.items():
        node = nodes[node_id]
        inputs = _inputs(node, replacement)
        nodes[node_id] = Node(node.id, replacement.new_node_id, inputs, node.title, node.extra)
    slots = {
        (node_id, mapping["old_idx"]): mapping["new_idx"]
        for node_id, replacement in chosen.items()
        for mapping in replacement.output_mapping or ()
    }
    rewired = {node_id: _rewired(node, slots) for node_id, node in nodes.items()} if slots else nodes
    done = [Replaced(node_id, graph.nodes[node_id].class_type, chosen[node_id].new_node_id) for node_id in chosen]
    return Graph(rewired), done


def _first_known(candidates: Sequence[NodeReplacement], classes: Container[str]) -> NodeReplacement | None:
    return next((candidate for candidate in candidates if candidate.new_node_id in classes), None)


def _inputs(node: Node, replacement: NodeReplacement) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for mapping in replacement.input_mapping or ():
        if "set_value" in mapping:
            value = mapping["set_value"]
            inputs[mapping["new_id"]] = ListConstant(value) if isinstance(value, list) else value
        elif mapping.get("old_id") in node.inputs:
            inputs[mapping["new_id"]] = node.inputs[mapping["old_id"]]
    return inputs


def _rewired(node: Node, slots: Mapping[tuple[str, int], int]) -> Node:
    inputs = {
        name: Link(value.node_id, slots.get((value.node_id, value.slot), value.slot)) if type(value) is Link else value
        for name, value in node.inputs.items()
    }
    return node if inputs == node.inputs else Node(node.id, node.class_type, inputs, node.title, node.extra)
