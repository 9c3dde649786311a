"""Graphs that a node returns in its own place: `GraphBuilder` gives their nodes ids that are new and always the same.

    graph = GraphBuilder()
    scaled = graph.node("ImageScaleBy", image=image, upscale_method="area", scale_by=0.5)
    return {"result": (scaled.out(0),), "expand": graph.finalize()}

Ids begin with `<node id>.<call>.<graph>.` of the node that runs; outside a run with what `set_default_prefix` gave,
else with `.0.<graph>.`, where graphs are counted per process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from inglenook.engine import context
from inglenook.engine.blocker import ExecutionBlocker

__all__ = ["ExecutionBlocker", "GraphBuilder", "Node", "add_graph_prefix", "is_link"]


def is_link(value: object) -> bool:
    """Whether `value` is a link of the API format, `[node id, slot]`."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    node_id, slot = value
    return isinstance(node_id, str) and isinstance(slot, (int, float)) and not isinstance(slot, bool)


class Node:
    """A node of a graph that is being built."""

    def __init__(self, id: str, class_type: str, inputs: dict[str, Any]) -> None:
        self.id = id
        self.class_type = class_type
        self.inputs = inputs
        self.override_display_id: str | None = None

    def out(self, index: int) -> list[Any]:
        """A link to an output."""
        return [self.id, index]

    def set_input(self, key: str, value: Any) -> None:
        """Give an input a constant or a link; None takes it away."""
        if value is None:
            self.inputs.pop(key, None)
        else:
            self.inputs[key] = value

    def get_input(self, key: str) -> Any:
        """The value of an input, or None."""
        return self.inputs.get(key)

    def set_override_display_id(self, override_display_id: str) -> None:
        """Show the node's progress and results where another node is."""
        self.override_display_id = override_display_id

    def serialize(self) -> dict[str, Any]:
        """The node as the API format has it."""
        document: dict[str, Any] = {"class_type": self.class_type, "inputs": self.inputs}
        if self.override_display_id is not None:
            document["override_display_id"] = self.override_display_id
        return document


@dataclass(frozen=True, slots=True)
class _Default:
    """A prefix that a caller chose for the builders that follow, in the node call where it did."""

    root: str
    call_index: int
    graph_numbers: Iterator[int]
    owner: context.NodeContext | None


class GraphBuilder:
    """Collects nodes; every id begins with the builder's prefix.

    prefix: without one, the next prefix of the node call that runs (see the module).
    """

    _default: ClassVar[_Default] = _Default("", 0, itertools.count(), None)

    def __init__(self, prefix: str | None = None) -> None:
        self.prefix = GraphBuilder.alloc_prefix() if prefix is None else prefix
        self.nodes: dict[str, Node] = {}
        self._numbers = itertools.count(1)

    @classmethod
    def set_default_prefix(cls, prefix_root: str, call_index: int, graph_index: int = 0) -> None:
        """Choose the prefix of the builders that follow; within a run, up to the end of the node call."""
        GraphBuilder._default = _Default(prefix_root, call_index, itertools.count(graph_index), context.current())

    @classmethod
    def alloc_prefix(
        cls, root: str | None = None, call_index: int | None = None, graph_index: int | None = None
    ) -> str:
        """The prefix for another graph; each part that is given replaces the one that would come."""
        default = GraphBuilder._default
        running = context.current()
        if running is not None and running is not default.owner:
            if root is None and call_index is None:
                return context.next_expansion_prefix() if graph_index is None else context.expansion_prefix(graph_index)
            default = _Default(running.node.node_id, running.call_index, running.graph_numbers, running)
        root = default.root if root is None else root
        call_index = default.call_index if call_index is None else call_index
        graph_index = next(default.graph_numbers) if graph_index is None else graph_index
        return f"{root}.{call_index}.{graph_index}."

    def node(self, class_type: str, id: str | None = None, **kwargs: Any) -> Node:
        """Add a node with the inputs `kwargs`; without an id it gets the next number. A known id returns its node."""
        node_id = self.prefix + (str(next(self._numbers)) if id is None else id)
        return self.nodes.setdefault(node_id, Node(node_id, class_type, kwargs))

    def lookup_node(self, id: str) -> Node | None:
        """The node that was added under `id`, or None."""
        return self.nodes.get(self.prefix + id)

    def remove_node(self, id: str) -> None:
        """Take a node away. Raises KeyError."""
        del self.nodes[self.prefix + id]

    def replace_node_output(self, node_id: str, index: int, new_value: Any) -> None:
        """Give every input that is linked to this output another value; None takes the inputs away."""
        link = [self.prefix + node_id, index]
        for node in self.nodes.values():
            for name in [name for name, value in node.inputs.items() if is_link(value) and value == link]:
                node.set_input(name, new_value)

    def finalize(self) -> dict[str, Any]:
        """The graph in API format, for `expand`."""
        return {node_id: node.serialize() for node_id, node in self.nodes.items()}


def add_graph_prefix(
    graph: Mapping[str, Mapping[str, Any]], outputs: Sequence[Any], prefix: str
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """A graph in API format with `prefix` before every id, and `outputs` with the links in them changed alike."""

    def moved(value: Any) -> Any:
        return [prefix + value[0], value[1]] if is_link(value) else value

    renamed = {
        prefix + node_id: {**node, "inputs": {name: moved(value) for name, value in node.get("inputs", {}).items()}}
        for node_id, node in graph.items()
    }
    return renamed, tuple(moved(value) for value in outputs)
