"""Group nodes, which came before subgraphs: each becomes a graph of its own, as if it were an instance of a subgraph.

    extra.groupNodes[name] = {"nodes": [...], "links": [[from index, slot, to index, slot, type], ...],
                              "external": [[index, slot, type], ...], "config": {index: {"input": {name: {...}}}}}

A node of type `workflow>name` (or `workflow/name`) has the unconnected inputs of the inner nodes as its inputs, the
external outputs as its outputs, and the values of all inner widgets one after another as its values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import TooManyNodes
from inglenook.workflows.ui import INPUT_BOUNDARY, OUTPUT_BOUNDARY, Socket, UiGraph, UiLink, UiNode, read_graph
from inglenook.workflows.widgets import WidgetReader

_PARTS_PER_NODE = 10
"""So many links and slots count as one node: a group is read anew for each of its instances."""
_MOST_VALUES = 1000
"""Of one inner node."""
_PREFIXES = ("workflow>", "workflow/")


def group_name(kind: str) -> str | None:
    """The name of the group that a node type means."""
    return next((kind[len(prefix) :] for prefix in _PREFIXES if kind.startswith(prefix)), None)


def read_groups(
    document: Mapping[str, Any], root: UiGraph, catalog: Catalog, reader: WidgetReader, max_nodes: int
) -> dict[str, UiGraph]:
    """What each group node of the workflow stands for, by its id. Raises TooManyNodes."""
    extra = document.get("extra")
    declared = extra.get("groupNodes") if isinstance(extra, Mapping) else None
    if not isinstance(declared, Mapping):
        return {}
    found: dict[str, UiGraph] = {}
    count = 0
    for node in root.nodes.values():
        name = group_name(node.type)
        entry = declared.get(name) if name is not None else None
        if not isinstance(entry, Mapping):
            continue
        graph = _read(entry, node)
        count += len(graph.nodes) + (len(graph.links) + len(graph.inputs) + len(graph.outputs)) // _PARTS_PER_NODE
        if count > max_nodes:
            raise TooManyNodes(count, max_nodes)
        found[node.id] = _with_values(graph, node, catalog, reader)
    return found


def _read(entry: Mapping[str, Any], instance: UiNode) -> UiGraph:
    """The inner graph, with a boundary link for each input and output of the group node."""
    nodes = [dict(node) if isinstance(node, Mapping) else {} for node in _entries(entry.get("nodes"))]
    for index, node in enumerate(nodes):
        node["id"] = index
        node["inputs"] = [
            {**socket, "link": None} for socket in _entries(node.get("inputs")) if isinstance(socket, Mapping)
        ]
    inner = [[f"i{number}", *link[:4]] for number, link in enumerate(_entries(entry.get("links"))) if _is_link(link)]
    graph = read_graph({"nodes": nodes, "links": inner})
    graph.outputs = tuple(_outlet(slot, external) for slot, external in enumerate(_entries(entry.get("external"))))
    _open_inputs(graph, instance, entry.get("config"))
    return graph


def _entries(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 4


def _outlet(slot: int, external: Any) -> UiLink | None:
    if not isinstance(external, list) or len(external) < 2 or not all(type(part) is int for part in external[:2]):
        return None
    return UiLink(str(external[0]), external[1], OUTPUT_BOUNDARY, slot)


def _open_inputs(graph: UiGraph, instance: UiNode, config: Any) -> None:
    """Let each unconnected input lead to one of the group node's: that of the same name, else the next one left."""
    names = _OuterNames(instance)
    for node in list(graph.nodes.values()):
        renamed = _renamed(config, node.id)
        sockets: list[Socket] = []
        for slot, socket in enumerate(node.inputs):
            if socket.link is None:
                names.add(socket, node, renamed)
                socket = replace(socket, link=UiLink(INPUT_BOUNDARY, len(names.given) - 1, node.id, slot))
            sockets.append(socket)
        graph.nodes[node.id] = replace(node, inputs=tuple(sockets))
    graph.inputs = tuple(names.given)


def _renamed(config: Any, node_id: str) -> Mapping[str, Any]:
    entry = config.get(node_id) if isinstance(config, Mapping) else None
    inputs = entry.get("input") if isinstance(entry, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


class _OuterNames:
    """Gives the inner inputs the names of the group node's inputs."""

    def __init__(self, instance: UiNode) -> None:
        self.given: list[str] = []
        self._free = {socket.name: socket for socket in reversed(instance.inputs)}
        """In reverse, so that the last one is the first without owner."""

    def add(self, socket: Socket, node: UiNode, renamed: Mapping[str, Any]) -> None:
        settings = renamed.get(socket.name)
        given = settings.get("name") if isinstance(settings, Mapping) else None
        for name in (given, socket.name, f"{node.title or node.type} {socket.name}", f"{node.type} {socket.name}"):
            if isinstance(name, str) and name in self._free:
                del self._free[name]
                self.given.append(name)
                return
        while self._free and not socket.is_widget:
            name, outer = self._free.popitem()
            if not outer.is_widget:
                self.given.append(name)
                return
        self.given.append(f"{node.id}:{socket.name}")


def _with_values(graph: UiGraph, instance: UiNode, catalog: Catalog, reader: WidgetReader) -> UiGraph:
    """Give the inner nodes their part of the group node's values."""
    values = instance.values
    if not isinstance(values, list):
        return graph
    position = 0
    for node in list(graph.nodes.values()):
        schema = catalog.get(node.type)
        if schema is None or position >= len(values):
            continue
        taken = reader.read(schema, values[position : position + _MOST_VALUES]).used
        graph.nodes[node.id] = replace(node, values=values[position : position + taken])
        position += taken
    return graph
