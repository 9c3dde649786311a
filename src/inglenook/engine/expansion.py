"""Nodes that return a graph in their own place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inglenook.engine.events import NodeRef
from inglenook.engine.graph import Link, Node
from inglenook.engine.mapping import as_values
from inglenook.engine.returns import Returned
from inglenook.engine.values import shorten
from inglenook.errors import NodeError

Ui = dict[str, list[Any]]


@dataclass(slots=True)
class ExpandedUi:
    """The ui data of the nodes that `owner` expanded into, as a tree: loops nest as deep as they are long."""

    owner: str
    own: list[tuple[NodeRef, Ui]] = field(default_factory=list)
    nested: list[ExpandedUi] = field(default_factory=list)

    def all(self, owner: str) -> Iterator[tuple[NodeRef, Ui]]:
        """Every node with its ui data, as if `owner` had expanded (a cached result may come from another id)."""
        stack = [self]
        while stack:
            part = stack.pop()
            for ref, ui in part.own:
                yield (ref if owner == self.owner else _renamed(ref, self.owner, owner)), ui
            stack += part.nested


def _renamed(ref: NodeRef, old: str, new: str) -> NodeRef:
    def rename(node_id: str) -> str:
        return new + node_id[len(old) :] if node_id == old or node_id.startswith(f"{old}.") else node_id

    parent = None if ref.parent_id is None else rename(ref.parent_id)
    return NodeRef(rename(ref.node_id), rename(ref.display_id), parent, rename(ref.real_id))


@dataclass(frozen=True, slots=True)
class PendingExpansion:
    """A node that waits for the nodes it expanded into."""

    returned: Sequence[Returned]
    """Per call; outputs of calls that expanded may be Links."""
    ui: Ui | None

    def links(self) -> list[Link]:
        """The links among the outputs."""
        return [
            value for call in self.returned if call.expand is not None for value in call.outputs if type(value) is Link
        ]


def parse_expansion(document: Mapping[str, Any], exists: Callable[[str], bool]) -> Iterator[tuple[Node, str | None]]:
    """The nodes of an expansion, each with the id under which it wants to be shown, if it names one.

    exists: whether a node is in the graph already; links may lead there. Constants may be any Python value.
    Raises NodeError.
    """
    for node_id, body in document.items():
        class_type = body.get("class_type") if isinstance(body, Mapping) else None
        if not isinstance(node_id, str) or not isinstance(class_type, str):
            raise NodeError(f"expansion: node {shorten(node_id, 60)} has no class_type")
        inputs = {}
        for name, value in body.get("inputs", {}).items():
            link = as_link(value)
            if link is not None and link.node_id not in document and not exists(link.node_id):
                missing = shorten(link.node_id, 60)
                raise NodeError(
                    f"expansion: input {name} of node {node_id} is linked to node {missing}, which is absent"
                )
            inputs[name] = value if link is None else link
        display = body.get("override_display_id")
        yield Node(node_id, class_type, inputs), display if isinstance(display, str) else None


def as_link(value: Any) -> Link | None:
    """The link that a node wrote as `[id, slot]`, or None."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) in (int, float):
        return Link(value[0], int(value[1]))
    return None


def with_links(outputs: Sequence[Any]) -> tuple[Any, ...]:
    """The outputs of a call that expanded, with the links among them told from other values."""
    return tuple(value if (link := as_link(value)) is None else link for value in outputs)


def resolve(
    returned: Sequence[Returned], is_list: Sequence[bool], values_of: Callable[[Link], list[Any]]
) -> tuple[list[Any], ...]:
    """The outputs of a node whose expansion has run: links by the values of their source, others as they are."""
    outputs: list[list[Any]] = [[] for _ in range(min(len(call.outputs) for call in returned))]
    for call in returned:
        for index, values in enumerate(outputs):
            value = call.outputs[index]
            if call.expand is not None and type(value) is Link:
                values += values_of(value)
            elif index < len(is_list) and is_list[index]:
                values += as_values(value)
            else:
                values.append(value)
    return tuple(outputs)
