"""The UI format, read into nodes and links: what the editor saves, in all its versions.

Reading never fails on a damaged part: an entry that cannot be meant is left out, a link that leads nowhere is none.
Format: `version` 0.4 writes links as arrays, version 1 and subgraphs as objects; both are read anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inglenook.engine.graph import link_parts
from inglenook.workflows.errors import WorkflowFormatError

INPUT_BOUNDARY = "-10"
OUTPUT_BOUNDARY = "-20"
"""Node ids that stand for the sides of a subgraph."""

LONGEST_ID = 200
"""Characters; the ids of nested nodes are made of several."""

MUTED = 2
BYPASSED = 4


@dataclass(frozen=True, slots=True)
class UiLink:
    """From an output slot to an input slot of the same graph."""

    origin: str
    origin_slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, slots=True)
class Socket:
    """An input slot or an output slot."""

    name: str
    type: str
    """Upper case; `*` matches everything, and so does the empty text."""
    is_widget: bool = False
    link: UiLink | None = None
    """Of an input slot: what it is connected to."""


@dataclass(frozen=True, slots=True)
class UiNode:
    """One node as it was saved."""

    id: str
    type: str
    mode: int
    inputs: tuple[Socket, ...]
    outputs: tuple[Socket, ...]
    values: Any
    """`widgets_values`: by position, by name, or None."""
    title: str | None
    properties: Mapping[str, Any]


@dataclass(slots=True)
class UiGraph:
    """Nodes and links of the workflow itself, of a subgraph definition or of a group node."""

    nodes: dict[str, UiNode]
    links: dict[str, UiLink]
    into: dict[tuple[str, int], UiLink]
    """(target, slot) -> link."""
    named: dict[str, UiNode] = field(default_factory=dict)
    """Nodes by the name that they were saved under, then by title; the first of each."""
    inputs: tuple[str, ...] = ()
    """Of a subgraph: names of its inputs."""
    outputs: tuple[UiLink | None, ...] = ()
    """Of a subgraph: what feeds each output."""


def read_graph(document: Mapping[str, Any]) -> UiGraph:
    """Read the nodes and links of a workflow or of a subgraph definition."""
    links = dict(_links(document.get("links")))
    into: dict[tuple[str, int], UiLink] = {}
    for link in links.values():
        into[link.target, link.target_slot] = link
    graph = UiGraph({}, links, into)
    for entry in _mappings(document.get("nodes")):
        node = _node(entry, graph)
        graph.nodes[node.id] = node
    for node in graph.nodes.values():
        saved = node.properties.get("Node name for S&R")
        if isinstance(saved, str):
            graph.named.setdefault(saved, node)
    for node in graph.nodes.values():
        if node.title:
            graph.named.setdefault(node.title, node)
    return graph


def read_definitions(document: Mapping[str, Any]) -> dict[str, UiGraph]:
    """Subgraph definitions of a workflow by their id."""
    definitions = document.get("definitions")
    found: dict[str, UiGraph] = {}
    for entry in _mappings(definitions.get("subgraphs") if isinstance(definitions, Mapping) else None):
        name = identity(entry.get("id"))
        if name is not None and name not in found:
            found[name] = _definition(entry)
    return found


def _definition(entry: Mapping[str, Any]) -> UiGraph:
    graph = read_graph(entry)
    graph.inputs = tuple(_text(socket.get("name")) for socket in _mappings(entry.get("inputs")))
    feeding = {link.target_slot: link for link in graph.links.values() if link.target == OUTPUT_BOUNDARY}
    graph.outputs = tuple(
        _first_known(socket.get("linkIds"), graph.links) or feeding.get(slot)
        for slot, socket in enumerate(_mappings(entry.get("outputs")))
    )
    return graph


def _first_known(ids: Any, links: Mapping[str, UiLink]) -> UiLink | None:
    for raw in ids if isinstance(ids, list) else ():
        link = links.get(identity(raw) or "")
        if link is not None and link.target == OUTPUT_BOUNDARY:
            return link
    return None


def _links(entries: Any) -> Iterator[tuple[str, UiLink]]:
    """Links by id; entries of either form."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            parts = [entry.get(key) for key in ("id", "origin_id", "origin_slot", "target_id", "target_slot")]
        elif isinstance(entry, list) and len(entry) >= 5:
            parts = entry[:5]
        else:
            continue
        name, origin, target = identity(parts[0]), identity(parts[1]), identity(parts[3])
        slots = _slot(parts[2]), _slot(parts[4])
        if name is not None and origin is not None and target is not None and min(slots) >= 0:
            yield name, UiLink(origin, slots[0], target, slots[1])


def _slot(value: Any) -> int:
    """A slot number; -1 for what is none."""
    parts = link_parts(["", value])
    return -1 if parts is None else parts[1]


def _node(entry: Mapping[str, Any], graph: UiGraph) -> UiNode:
    node_id = identity(entry.get("id"))
    if node_id is None or node_id in graph.nodes:  # a copy that somebody pasted into the file
        node_id = _free_id(node_id or "node", graph.nodes)
    properties = entry.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    kind = entry.get("type") or properties.get("Node name for S&R")
    title = entry.get("title")
    values = entry.get("widgets_values")
    if values is None:
        values = entry.get("widgets_values_named")
    return UiNode(
        id=node_id,
        type=kind if isinstance(kind, str) else "",
        mode=entry["mode"] if entry.get("mode") in (MUTED, BYPASSED) else 0,
        inputs=_inputs(node_id, _mappings(entry.get("inputs")), graph),
        outputs=tuple(Socket(_text(socket.get("name")), _type(socket)) for socket in _mappings(entry.get("outputs"))),
        values=values if isinstance(values, (list, Mapping)) else None,
        title=title if isinstance(title, str) and title else None,
        properties=properties,
    )


def _free_id(wanted: str, taken: Mapping[str, Any]) -> str:
    number = len(taken)
    while f"{wanted}_{number}" in taken:
        number += 1
    return f"{wanted}_{number}"


def _inputs(node_id: str, entries: list[Mapping[str, Any]], graph: UiGraph) -> tuple[Socket, ...]:
    """Input slots with their links: what the slot names, else the link of the list that names the slot."""
    own = [graph.links.get(identity(entry.get("link")) or "") for entry in entries]
    taken = {id(link) for link in own if link is not None}
    sockets = []
    for slot, (entry, link) in enumerate(zip(entries, own, strict=True)):
        if link is None:
            listed = graph.into.get((node_id, slot))
            link = listed if listed is not None and id(listed) not in taken else None
        sockets.append(Socket(_text(entry.get("name")), _type(entry), bool(entry.get("widget")), link))
    return tuple(sockets)


def _type(socket: Mapping[str, Any]) -> str:
    kind = socket.get("type")
    if isinstance(kind, list):
        return "COMBO"
    return kind.upper() if isinstance(kind, str) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def identity(value: Any) -> str | None:
    """An id of a node, link or definition as text, whichever way it was written; None for what is no id.

    Raises WorkflowFormatError for a very long one.
    """
    if type(value) is str:
        if len(value) > LONGEST_ID:
            raise WorkflowFormatError(f"An id has more than {LONGEST_ID} characters: '{value[:60]}...'")
        return value or None
    parts = link_parts([value, 0])
    return None if parts is None else parts[0]
