"""Subgraphs spread out: one scope for the workflow and one for each instance of a subgraph that runs.

A scope knows its path (`"12:7:"` in front of the ids of its nodes), its instance in the scope above, and the values
that the instance gives to the widgets inside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inglenook.engine.graph import TooManyNodes
from inglenook.workflows.errors import WorkflowFormatError
from inglenook.workflows.ui import BYPASSED, INPUT_BOUNDARY, MUTED, UiGraph, UiNode, identity

DEEPEST_NESTING = 100
LONGEST_PATH = 2000
"""Characters of a path; an id has at most `ui.LONGEST_ID`."""

Definitions = Mapping[str, UiGraph]


@dataclass(slots=True, eq=False)
class Scope:
    """One graph at its place."""

    graph: UiGraph
    path: str = ""
    parent: Scope | None = None
    instance: UiNode | None = None
    """The node of `parent` that stands for this scope."""
    values: dict[str, Any] = field(default_factory=dict)
    """Input of the subgraph -> value that the instance gives it."""
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Inner node -> widget -> value that the instance gives it."""
    children: dict[str, Scope] = field(default_factory=dict)
    """By the id of their instance."""
    kind: str | None = None
    """Type of the instance."""

    def ancestors(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


@dataclass(frozen=True, slots=True)
class Placed:
    """A node in its scope."""

    scope: Scope
    node: UiNode

    @property
    def id(self) -> str:
        return self.scope.path + self.node.id


def spread(root: UiGraph, definitions: Definitions, groups: Mapping[str, UiGraph], max_nodes: int) -> list[Placed]:
    """Return every node that is neither muted nor bypassed nor an instance, in file order.

    groups: id of a node of the workflow -> what it stands for (see `group_nodes`).
    Raises TooManyNodes; WorkflowFormatError when a subgraph contains itself.
    """
    promoted = promoted_widgets(definitions)
    placed: list[Placed] = []
    count = 0
    waiting: list[tuple[Scope, Iterator[UiNode]]] = [(Scope(root), iter(root.nodes.values()))]
    while waiting:
        scope, nodes = waiting[-1]
        node = next(nodes, None)
        if node is None:
            waiting.pop()
            continue
        count += 1
        if count > max_nodes:
            raise TooManyNodes(count, max_nodes)
        if node.mode in (MUTED, BYPASSED):
            continue
        inner = definitions.get(node.type) or (groups.get(node.id) if scope.parent is None else None)
        if inner is None:
            placed.append(Placed(scope, node))
            continue
        child = _child(scope, node, inner, promoted.get(node.type, frozenset()))
        waiting.append((child, iter(inner.nodes.values())))
    return placed


def _child(parent: Scope, instance: UiNode, inner: UiGraph, promoted: frozenset[str]) -> Scope:
    if parent.path.count(":") >= DEEPEST_NESTING or len(parent.path) > LONGEST_PATH:
        raise WorkflowFormatError(f"Subgraphs nest too deeply, at node '{parent.path[:100]}...'")
    if any(scope.kind == instance.type for scope in parent.ancestors()):
        raise WorkflowFormatError(f"Subgraph '{instance.type[:100]}' contains itself")
    child = Scope(inner, f"{parent.path}{instance.id}:", parent, instance, kind=instance.type)
    _give_values(child, instance, promoted)
    parent.children[instance.id] = child
    return child


def _give_values(scope: Scope, instance: UiNode, promoted: frozenset[str]) -> None:
    """Note what the instance's own values are for: by name, by the list of promoted widgets, or by their order."""
    if isinstance(instance.values, Mapping):
        scope.values = {name: value for name, value in instance.values.items() if value is not None}
    elif isinstance(instance.values, list):
        listed = instance.properties.get("proxyWidgets")
        if isinstance(listed, list) and listed:
            _give_listed(scope, listed, instance.values)
        else:
            names = [name for name in scope.graph.inputs if name in promoted]
            pairs = zip(names, instance.values, strict=False)
            scope.values = {name: value for name, value in pairs if value is not None}
    if scope.parent is not None:
        scope.values = {**scope.values, **scope.parent.overrides.get(instance.id, {})}


def _give_listed(scope: Scope, listed: list[Any], values: list[Any]) -> None:
    for entry, value in zip(listed, values, strict=False):
        if value is None or not (isinstance(entry, list) and len(entry) == 2):
            continue
        owner, widget = identity(entry[0]), entry[1]
        if owner is None or not isinstance(widget, str):
            continue
        if owner == "-1":
            scope.values[widget] = value
        else:
            scope.overrides.setdefault(owner, {})[widget] = value


def promoted_widgets(definitions: Definitions) -> dict[str, frozenset[str]]:
    """Definition id -> names of those of its inputs that feed a widget, perhaps through further subgraphs."""
    found: dict[str, set[str]] = {key: set() for key in definitions}
    above: dict[tuple[str, str], list[tuple[str, str]]] = {}
    """Input of a definition -> inputs of others that feed it."""
    waiting: list[tuple[str, str]] = []
    for key, graph in definitions.items():
        for link in graph.links.values():
            target = graph.nodes.get(link.target)
            if link.origin != INPUT_BOUNDARY or target is None or not 0 <= link.origin_slot < len(graph.inputs):
                continue
            name = graph.inputs[link.origin_slot]
            socket = target.inputs[link.target_slot] if 0 <= link.target_slot < len(target.inputs) else None
            if socket is not None and socket.is_widget:
                waiting.append((key, name))
            elif socket is not None and target.type in definitions:
                above.setdefault((target.type, socket.name), []).append((key, name))
    while waiting:
        key, name = waiting.pop()
        if name not in found[key]:
            found[key].add(name)
            waiting += above.get((key, name), ())
    return {key: frozenset(names) for key, names in found.items()}
