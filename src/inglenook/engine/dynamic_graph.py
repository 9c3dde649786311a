"""The graph of a run: the submitted nodes, and those that nodes expanded into."""

from __future__ import annotations

from typing import Any

from inglenook.engine.events import NodeRef
from inglenook.engine.graph import Graph, Node
from inglenook.errors import NodeError


class NodeNotFound(NodeError, KeyError):
    """A node id that the graph of this run does not have."""

    def __init__(self, node_id: str) -> None:
        super().__init__(f"node {node_id!r} is not in the graph")
        self.node_id = node_id

    def __str__(self) -> str:
        return f"node {self.node_id!r} is not in the graph"


class DynamicGraph:
    """Nodes by id with their ancestry. Nodes receive it as the hidden input DYNPROMPT (the `get_*` methods)."""

    def __init__(self, graph: Graph) -> None:
        self.submitted = graph
        self.nodes: dict[str, Node] = dict(graph.nodes)
        self._expanded: dict[str, NodeRef] = {}
        self._prompt: dict[str, Any] | None = None

    def ref(self, node_id: str) -> NodeRef:
        """All ids of a node."""
        found = self._expanded.get(node_id)
        return NodeRef(node_id, node_id, None, node_id) if found is None else found

    def add(self, node: Node, parent_id: str, display_id: str | None) -> None:
        """Take in a node that `parent_id` expanded into, shown at `display_id` (by default where its parent is).

        Raises NodeError when the id is taken.
        """
        if node.id in self.nodes:
            raise NodeError(f"expansion of node {parent_id}: id {node.id!r} is already in the graph; ids must be new")
        shown = self.ref(parent_id if display_id is None else display_id).display_id
        self.nodes[node.id] = node
        self._expanded[node.id] = NodeRef(node.id, shown, parent_id, self.ref(parent_id).real_id)

    def is_expanded(self, node_id: str) -> bool:
        """Whether the node came from an expansion."""
        return node_id in self._expanded

    def has_node(self, node_id: str) -> bool:
        return node_id in self.nodes

    def get_node(self, node_id: str) -> dict[str, Any]:
        """The node's document. Raises NodeNotFound."""
        node = self.nodes.get(node_id)
        if node is None:
            raise NodeNotFound(node_id)
        return node.to_json()

    def all_node_ids(self) -> set[str]:
        return set(self.nodes)

    def get_original_prompt(self) -> dict[str, Any]:
        """The submitted graph's document, made once per run."""
        if self._prompt is None:
            self._prompt = self.submitted.to_json()
        return self._prompt

    def get_parent_node_id(self, node_id: str) -> str | None:
        return self.ref(node_id).parent_id

    def get_real_node_id(self, node_id: str) -> str:
        return self.ref(node_id).real_id

    def get_display_node_id(self, node_id: str) -> str:
        return self.ref(node_id).display_id
