"""`widgets_values` in a graph of the API format: clients that edit them there mean the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph, Link, ListConstant, Node
from inglenook.workflows.repairs import Repair, Repaired
from inglenook.workflows.widgets import WidgetReader


def apply_widget_values(graph: Graph, catalog: Catalog) -> Repaired:
    """Take `widgets_values` that stand in nodes of an API-format graph as edits of the inputs, in widget order.

    The key goes: in a graph that is sent again with other inputs, it would undo them.
    """
    edited = [node for node in graph.nodes.values() if node.extra and "widgets_values" in node.extra]
    if not edited:
        return Repaired(graph)
    reader = WidgetReader(catalog)
    nodes = dict(graph.nodes)
    repairs: list[Repair] = []
    for node in edited:
        inputs = dict(node.inputs)
        for name, value in _widget_values(node, catalog, reader).items():
            value = ListConstant(value) if isinstance(value, list) else value
            before = inputs.get(name)
            if value is None or type(before) is Link or (name in inputs and _same(before, value)):
                continue
            inputs[name] = value
            text = f"{name} was set from widgets_values"
            repairs.append(Repair(node.id, "widget_value_applied", text, before, value))
        extra = {key: value for key, value in (node.extra or {}).items() if key != "widgets_values"}
        nodes[node.id] = Node(node.id, node.class_type, inputs, node.title, extra or None)
    return Repaired(Graph(nodes), tuple(repairs))


def _widget_values(node: Node, catalog: Catalog, reader: WidgetReader) -> Mapping[str, Any]:
    schema = catalog.get(node.class_type)
    values = (node.extra or {})["widgets_values"]
    if schema is None:
        return {}
    if isinstance(values, list):
        return reader.read(schema, values).values
    if isinstance(values, dict):
        return {name: value for name, value in values.items() if name in schema.inputs}
    return {}


def _same(one: Any, other: Any) -> bool:
    is_same_kind = type(one) is type(other) or {type(one), type(other)} == {int, float}
    return is_same_kind and bool(one == other)
