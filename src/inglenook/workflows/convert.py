"""UI format -> API format, as the official editor does it in the browser, from the catalog alone.

Order of work: the document is read into graphs (`ui`), group nodes become graphs too (`group_nodes`), subgraphs are
spread out (`scopes`); then each node that runs gets its widgets' values (`widgets`), with texts expanded (`texts`), and
what its inputs are connected to (`sources`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from types import MappingProxyType
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import MAX_NODES
from inglenook.engine.schema import NodeSchema
from inglenook.workflows.errors import WorkflowFormatError
from inglenook.workflows.group_nodes import group_name, read_groups
from inglenook.workflows.missing import MissingClass, find_missing
from inglenook.workflows.repairs import Repair
from inglenook.workflows.scopes import Placed, Scope, spread
from inglenook.workflows.sources import VIRTUAL, Constant, LinkTo, Sources
from inglenook.workflows.texts import TOKEN_CLASSES, expand_choices, expand_tokens
from inglenook.workflows.ui import Socket, UiGraph, UiLink, UiNode, read_definitions, read_graph
from inglenook.workflows.widgets import WidgetReader, slot_names

_EDITOR_NAMES = frozenset({"control_after_generate", "upload", "audioUI", "refresh"})
"""Widgets of the editor itself that lists of values by name may hold."""
_MOST_REPAIRS = 1000

OldWidgets = Mapping[str, Sequence[str]]
"""Class -> names of its widgets in the order of their saved values."""


@dataclass(frozen=True, slots=True)
class Converted:
    """An API-format graph and what is to be said about it."""

    graph: dict[str, Any]
    repairs: tuple[Repair, ...]
    missing: tuple[MissingClass, ...]
    """Classes that are not in the catalog; their nodes are in the graph as far as the file tells them."""


def is_ui_format(document: Any) -> bool:
    """Whether a document is a workflow as the editor saves it."""
    return isinstance(document, Mapping) and isinstance(document.get("nodes"), list)


def to_graph(
    workflow: Any,
    catalog: Catalog | Mapping[str, Any],
    *,
    max_nodes: int = MAX_NODES,
    old_widgets: OldWidgets = MappingProxyType({}),
    random: Random | None = None,
    now: datetime | None = None,
) -> Converted:
    """Convert a UI-format workflow. catalog: also an `/object_info` document.

    old_widgets: of classes that will be replaced by others, so that they are not missing. random chooses among `{a|b}`
    in prompts, now fills dates in file names.
    Raises WorkflowFormatError when it is no such workflow or its subgraphs contain themselves, TooManyNodes.
    """
    if not is_ui_format(workflow):
        raise WorkflowFormatError("This is no UI-format workflow: it has no list of nodes")
    if not isinstance(catalog, Catalog):
        catalog = Catalog.from_documents(catalog, lambda source: (), lambda value, kind: False)
    return _Conversion(workflow, catalog, max_nodes, old_widgets, random or Random(), now or datetime.now()).run()


def class_types(workflow: Mapping[str, Any]) -> set[str]:
    """The classes that a UI-format workflow may need; muted nodes and unused subgraphs are counted too."""
    definitions = read_definitions(workflow)
    graphs = [read_graph(workflow), *definitions.values()]
    kinds = {node.type for graph in graphs for node in graph.nodes.values()}
    extra = workflow.get("extra")
    groups = extra.get("groupNodes") if isinstance(extra, Mapping) else None
    for entry in groups.values() if isinstance(groups, Mapping) else ():
        nodes = entry.get("nodes") if isinstance(entry, Mapping) else None
        for node in nodes if isinstance(nodes, list) else ():
            if isinstance(node, Mapping) and isinstance(node.get("type"), str):
                kinds.add(node["type"])
    return {kind for kind in kinds if kind and kind not in VIRTUAL and kind not in definitions and not group_name(kind)}


class _Conversion:
    """One document on its way."""

    def __init__(
        self,
        document: Mapping[str, Any],
        catalog: Catalog,
        max_nodes: int,
        old_widgets: OldWidgets,
        random: Random,
        now: datetime,
    ) -> None:
        self.catalog = catalog
        self.old_widgets = old_widgets
        self.random = random
        self.now = now
        self.reader = WidgetReader(catalog)
        self.sources = Sources(catalog)
        self.repairs: list[Repair] = []
        root, definitions = read_graph(document), read_definitions(document)
        for graph in (root, *definitions.values()):
            _complete_slots(graph, catalog, definitions)
        groups = read_groups(document, root, catalog, self.reader, max_nodes)
        placed = spread(root, definitions, groups, max_nodes)
        self.placed = [item for item in placed if not self.sources.is_virtual(item.node.type)]
        self.emitted = {item.id for item in self.placed}

    def run(self) -> Converted:
        graph = {item.id: self.entry(item) for item in self.placed}
        nodes = ((item.node.type, item.id, item.node.title) for item in self.placed)
        missing = find_missing(nodes, (*self.catalog, *self.old_widgets))
        return Converted(graph, tuple(self.repairs), missing)

    def entry(self, item: Placed) -> dict[str, Any]:
        """The API-format node."""
        node, scope = item.node, item.scope
        schema = self.catalog.get(node.type)
        inputs = {name: self.expanded(item, schema, name, value) for name, value in self.own_values(item).items()}
        for name, value in scope.overrides.get(node.id, {}).items():
            if name in inputs or (schema is not None and name in schema.inputs):
                inputs[name] = value
        for socket in node.inputs:
            is_widget = socket.is_widget or socket.name in inputs
            source = self.sources.of(scope, socket, is_widget=is_widget)
            if isinstance(source, LinkTo):
                if source.node_id in self.emitted and socket.name:
                    inputs[socket.name] = _Link((source.node_id, source.slot))
            elif isinstance(source, Constant) and is_widget and source.value is not None:
                value = source.value
                inputs[socket.name] = value if source.is_outer else self.expanded(item, schema, socket.name, value)
        title = node.title or (schema.info.get("display_name") if schema is not None else None) or node.type
        return {
            "class_type": node.type,
            "inputs": {name: _written(value) for name, value in inputs.items()},
            "_meta": {"title": title},
        }

    def own_values(self, item: Placed) -> dict[str, Any]:
        """What the node's own widgets show."""
        node = item.node
        schema = self.catalog.get(node.type)
        if isinstance(node.values, Mapping):
            known = {} if schema is None else self.reader.filled(schema, node.values)
            # Widgets that a pack's script adds to the class; what they are named is known here only.
            others = {name: value for name, value in node.values.items() if type(value) in (str, int, float, bool)}
            return {**known, **{name: value for name, value in others.items() if name not in _EDITOR_NAMES}}
        if schema is None:
            names = self.old_widgets.get(node.type, ())
            return {name: value for name, value in zip(names, node.values or (), strict=False) if value is not None}
        reading = self.reader.read(schema, node.values or ())
        if reading.is_realigned and len(self.repairs) < _MOST_REPAIRS:
            text = "The saved values do not fit the class as it is now, so they were matched by their types"
            self.repairs.append(Repair(item.id, "values_realigned", text, node.values, reading.values))
        return self.reader.filled(schema, reading.values)

    def expanded(self, item: Placed, schema: NodeSchema | None, name: str, value: Any) -> Any:
        """A node's own value as the editor submits it."""
        if not isinstance(value, str):
            return value
        if name == "filename_prefix" and item.node.type in TOKEN_CLASSES and "%" in value:
            return expand_tokens(value, self.now, lambda node, widget: self.widget_value(item.scope, node, widget))
        spec = schema.inputs.get(name) if schema is not None else None
        if spec is not None and spec.options.get("dynamicPrompts"):
            return expand_choices(value, self.random)
        return value

    def widget_value(self, scope: Scope, name: str, widget: str) -> Any:
        """The value of a widget of the nearest node of that name."""
        for owner in scope.ancestors():
            node = owner.graph.named.get(name)
            schema = None if node is None else self.catalog.get(node.type)
            if node is not None and schema is not None:
                values = node.values
                if isinstance(values, list):
                    values = self.reader.read(schema, values).values
                return self.reader.filled(schema, values or {}).get(widget)
        return None


class _Link(tuple[str, int]):
    """A link among constants."""

    __slots__ = ()


def _written(value: Any) -> Any:
    """A value as the API format writes it: lists are wrapped, because a bare one is a link."""
    if isinstance(value, _Link):
        return list(value)
    return {"__value__": value} if isinstance(value, list) else value


def _complete_slots(graph: UiGraph, catalog: Catalog, definitions: Mapping[str, UiGraph]) -> None:
    """Give nodes the input slots that links lead to and that the file does not list, named as their class has them."""
    lacking: dict[str, dict[int, UiLink]] = {}
    for link in graph.links.values():
        node = graph.nodes.get(link.target)
        if node is not None and link.target_slot >= len(node.inputs):
            lacking.setdefault(node.id, {})[link.target_slot] = link
    for node_id, links in lacking.items():
        node = graph.nodes[node_id]
        names = _further_names(node, catalog, definitions)
        more = [Socket(name, "", False, links.get(len(node.inputs) + index)) for index, name in enumerate(names)]
        graph.nodes[node_id] = replace(node, inputs=(*node.inputs, *more))


def _further_names(node: UiNode, catalog: Catalog, definitions: Mapping[str, UiGraph]) -> list[str]:
    """Names of input slots that the file may have left out."""
    schema = catalog.get(node.type)
    if node.type in definitions:
        names = list(definitions[node.type].inputs)
    elif schema is not None:
        names = slot_names(schema)
    else:  # a reroute has one input without a name
        names = [] if node.inputs else [""]
    listed = {socket.name for socket in node.inputs}
    return [name for name in names if name not in listed]
