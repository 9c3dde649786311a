"""Where the value of an input of the converted graph may stand in a UI-format workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.schema import NodeSchema
from inglenook.workflows.group_nodes import group_name
from inglenook.workflows.scopes import promoted_widgets
from inglenook.workflows.sources import PRIMITIVE
from inglenook.workflows.ui import UiGraph, identity, read_definitions, read_graph
from inglenook.workflows.widgets import WidgetReader

_MOST_GROUP_VALUES = 100
"""Of a group node, tried one after another."""

_Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Slot:
    """One value in the lists and objects of a document."""

    values: Any
    key: Any


class Draft:
    """A copy of a workflow whose values are to be changed, and nothing else."""

    def __init__(self, document: Mapping[str, Any], catalog: Catalog) -> None:
        self.document: dict[str, Any] = deepcopy(dict(document))
        self._catalog = catalog
        self._reader = WidgetReader(catalog)
        self._nodes: dict[int, dict[str, _Node]] = {}
        """By the identity of their graph."""
        self._read: dict[int, UiGraph] = {}

    def slots(self, node_id: str, name: str) -> Iterator[Slot]:
        """Where the value of an input may stand, outermost first.

        Lists that are too short are filled on the way, with null or what the class has.
        """
        path = [node_id] if node_id in self._nodes_of(self.document) else node_id.split(":")
        graphs = self._graphs_along(path)
        if len(graphs) < len(path):
            yield from self._group_slots(path)
            return
        node = self._nodes_of(graphs[-1]).get(path[-1])
        if node is not None:
            yield from self._instance_slots(graphs, path, name)
            yield from self._primitive_slots(graphs[-1], path[-1], name)
            yield from self._own_slots(node, name)

    def _nodes_of(self, graph: dict[str, Any]) -> dict[str, _Node]:
        nodes = self._nodes.get(id(graph))
        if nodes is None:
            nodes = self._nodes[id(graph)] = {}
            for entry in _objects(graph.get("nodes")):
                nodes.setdefault(identity(entry.get("id")) or "", entry)
        return nodes

    @cached_property
    def _subgraphs(self) -> dict[str | None, dict[str, Any]]:
        definitions = self.document.get("definitions")
        listed = definitions.get("subgraphs") if isinstance(definitions, dict) else None
        return {identity(one.get("id")): one for one in reversed(_objects(listed))}

    @cached_property
    def _definitions(self) -> dict[str, UiGraph]:
        return read_definitions(self.document)

    @cached_property
    def _promoted(self) -> dict[str, frozenset[str]]:
        return promoted_widgets(self._definitions)

    def _graphs_along(self, path: Sequence[str]) -> list[dict[str, Any]]:
        """The workflow, then the definition of each subgraph on the way to a node."""
        graphs = [self.document]
        for instance_id in path[:-1]:
            instance = self._nodes_of(graphs[-1]).get(instance_id)
            inner = self._subgraphs.get(identity(instance.get("type"))) if instance is not None else None
            if inner is None:
                break
            graphs.append(inner)
        return graphs

    def _instance_slots(self, graphs: Sequence[dict[str, Any]], path: Sequence[str], name: str) -> Iterator[Slot]:
        """Values of the instances around a node: all of them, since names may differ from level to level."""
        for graph, instance_id in zip(graphs, path[:-1], strict=False):
            instance = self._nodes_of(graph)[instance_id]
            values = instance.get("widgets_values")
            if isinstance(values, dict):
                yield from (Slot(values, key) for key in sorted(values, key=lambda key: key != name))
            elif isinstance(values, list):
                names = self._names_of_values(instance)
                for index in sorted(range(len(names)), key=lambda index: names[index] != name):
                    _lengthen(values, index)
                    yield Slot(values, index)

    def _names_of_values(self, instance: _Node) -> list[Any]:
        """What the values of an instance are called, in their order."""
        properties = instance.get("properties")
        listed = properties.get("proxyWidgets") if isinstance(properties, dict) else None
        if isinstance(listed, list) and listed:
            return [entry[1] if isinstance(entry, list) and len(entry) == 2 else None for entry in listed]
        kind = identity(instance.get("type")) or ""
        inner = self._definitions.get(kind)
        return [one for one in inner.inputs if one in self._promoted.get(kind, ())] if inner is not None else []

    def _group_slots(self, path: Sequence[str]) -> Iterator[Slot]:
        """Values of a group node: those of all inner widgets one after another."""
        instance = self._nodes_of(self.document).get(path[0])
        kind = instance.get("type") if instance is not None else None
        if instance is not None and isinstance(kind, str) and group_name(kind) is not None and len(path) == 2:
            values = instance.get("widgets_values")
            if isinstance(values, list):
                yield from (Slot(values, index) for index in range(min(len(values), _MOST_GROUP_VALUES)))

    def _primitive_slots(self, graph: dict[str, Any], node_id: str, name: str) -> Iterator[Slot]:
        read = self._read.get(id(graph))
        if read is None:
            read = self._read[id(graph)] = read_graph(graph)
        node = read.nodes.get(node_id)
        for socket in node.inputs if node is not None else ():
            if socket.link is None or socket.name != name:
                continue
            origin = self._nodes_of(graph).get(socket.link.origin, {})
            values = origin.get("widgets_values")
            if origin.get("type") == PRIMITIVE and isinstance(values, list):
                _lengthen(values, 0)
                yield Slot(values, 0)

    def _own_slots(self, node: _Node, name: str) -> Iterator[Slot]:
        key = "widgets_values" if node.get("widgets_values") is not None else "widgets_values_named"
        values = node.get(key)
        if isinstance(values, dict):
            yield Slot(values, name)
            return
        kind = node.get("type")
        schema = self._catalog.get(kind) if isinstance(kind, str) else None
        if values is None:
            values = node["widgets_values"] = []
        if isinstance(values, list) and schema is not None:
            index = self._position(schema, values, name)
            if index is not None:
                yield Slot(values, index)

    def _position(self, schema: NodeSchema, values: list[Any], name: str) -> int | None:
        """Where the value of an input stands; a list that ends before it is written anew, with what it stands for."""
        reading = self._reader.read(schema, values)
        index = reading.positions.get(name)
        if index is None or index < len(values):
            return index
        values[:] = self._reader.written(schema, self._reader.filled(schema, reading.values))
        return self._reader.read(schema, values).positions.get(name)


def _lengthen(values: list[Any], index: int) -> None:
    values += [None] * (index + 1 - len(values))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
