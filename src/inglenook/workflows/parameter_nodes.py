"""The nodes of a graph document with what their classes declare, as the recogniser of parameters looks at them.

The document may be anything that was sent: what is no node is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.dynamic import plain_inputs
from inglenook.engine.graph import link_parts
from inglenook.engine.schema import InputSpec, NodeSchema

CONDITIONING = "CONDITIONING"
SCALARS = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"})
_WILD = frozenset({"*", "COMFY_MATCHTYPE_V3"})
_WIDGETS = SCALARS | {"COLOR"}
_LITERALS = {bool: "BOOLEAN", int: "INT", float: "FLOAT", str: "STRING"}


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node. Of a class that the catalog lacks, the inputs are told from their values."""

    id: str
    class_type: str
    title: str
    """As the workflow has it, else how the class is shown."""
    has_own_title: bool
    """The title says more than the class does."""
    inputs: Mapping[str, Any]
    links: Mapping[str, tuple[str, int]]
    specs: Mapping[str, InputSpec]
    schema: NodeSchema | None
    output_types: tuple[str, ...]
    consumers: list[tuple[str, str]] = field(default_factory=list)
    """(node id, input name) of every link from this node."""

    def is_widget(self, name: str) -> bool:
        """Whether the input takes a constant."""
        spec = self.specs.get(name)
        return spec is not None and widget_kind(spec) is not None

    def widgets(self) -> Iterator[InputSpec]:
        """The inputs that take a constant and are not linked."""
        for name, spec in self.specs.items():
            if name not in self.links and widget_kind(spec) is not None:
                yield spec

    def constant(self, name: str) -> Any:
        """The value of an input, None where it has none or is linked."""
        return None if name in self.links else self.inputs.get(name)

    @property
    def passes_values(self) -> bool:
        """Whether it does nothing but give numbers, texts and switches to others."""
        return bool(self.output_types) and all(kind in SCALARS or is_wild(kind) for kind in self.output_types)


def is_wild(kind: Any) -> bool:
    return not isinstance(kind, str) or kind in _WILD or "," in kind


def widget_kind(spec: InputSpec) -> str | None:
    """The kind of value that an input takes as a constant; None for what must be linked."""
    if spec.options.get("forceInput") is True:
        return None
    declared = spec.options.get("widgetType") or spec.type
    if not isinstance(declared, str):
        return "COMBO"
    return declared if declared in _WIDGETS else None


def read_nodes(graph: Mapping[str, Any], catalog: Catalog) -> dict[str, GraphNode]:
    """The nodes by id, in the order of the document."""
    nodes: dict[str, GraphNode] = {}
    for node_id, document in graph.items():
        if isinstance(document, Mapping) and isinstance(document.get("class_type"), str) and isinstance(node_id, str):
            nodes[node_id] = _read(node_id, document, graph, catalog)
    for node in nodes.values():
        for name, (source, _) in node.links.items():
            if source in nodes:
                nodes[source].consumers.append((node.id, name))
    return nodes


def depths(nodes: Mapping[str, GraphNode]) -> dict[str, int]:
    """How many nodes come before each, at most. Nodes of a cycle are missing."""
    waiting = {node.id: sum(source in nodes for source, _ in node.links.values()) for node in nodes.values()}
    ready = [node_id for node_id, count in waiting.items() if count == 0]
    found = dict.fromkeys(ready, 0)
    for node_id in ready:
        for consumer, _ in nodes[node_id].consumers:
            found[consumer] = max(found.get(consumer, 0), found[node_id] + 1)
            waiting[consumer] -= 1
            if waiting[consumer] == 0:
                ready.append(consumer)
    return found


def _read(node_id: str, document: Mapping[str, Any], graph: Mapping[str, Any], catalog: Catalog) -> GraphNode:
    class_type: str = document["class_type"]
    given = document.get("inputs")
    inputs: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    links = {}
    for name, value in inputs.items():
        parts = link_parts(value) if isinstance(value, list) else None
        if parts is not None and parts[0] in graph:
            links[name] = parts
    schema = catalog.get(class_type)
    shown = class_type if schema is None else str(schema.info.get("display_name") or class_type)
    meta = document.get("_meta")
    title = meta.get("title") if isinstance(meta, Mapping) else None
    is_own = isinstance(title, str) and bool(title.strip()) and title not in (shown, class_type)
    return GraphNode(
        id=node_id,
        class_type=class_type,
        title=title.strip() if isinstance(title, str) and title.strip() else shown,
        has_own_title=is_own,
        inputs=inputs,
        links=links,
        specs=_specs(schema, inputs, links),
        schema=schema,
        output_types=()
        if schema is None
        else tuple(slot.type if isinstance(slot.type, str) else "COMBO" for slot in schema.outputs),
    )


def _specs(
    schema: NodeSchema | None, inputs: Mapping[str, Any], links: Mapping[str, tuple[str, int]]
) -> Mapping[str, InputSpec]:
    if schema is None:
        return _told_from_values(inputs, links)
    specs = plain_inputs(schema.inputs, inputs).specs if schema.has_dynamic_inputs else schema.inputs
    if schema.takes_any_input:
        return {**_told_from_values(inputs, links), **specs}
    return specs


def _told_from_values(inputs: Mapping[str, Any], links: Mapping[str, tuple[str, int]]) -> dict[str, InputSpec]:
    return {
        name: InputSpec(name, "optional", _LITERALS[type(value)], {})
        for name, value in inputs.items()
        if name not in links and type(value) in _LITERALS
    }
