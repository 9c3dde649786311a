"""Values written into a UI-format workflow where the editor would show them: in `widgets_values`.

A value of the converted graph may come from the node's own widget, from a primitive node that is connected to it, or
from the instance of a subgraph around it. Each place is tried, the outermost first, and the document is converted
again: the place is right when the graph then has the value, and best when nothing else in it has changed. So this knows
where values can stand, and `convert` alone what they mean.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from random import Random
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import MAX_NODES
from inglenook.engine.schema import NodeSchema
from inglenook.workflows.convert import OldWidgets, to_graph
from inglenook.workflows.errors import WorkflowFormatError
from inglenook.workflows.group_nodes import group_name
from inglenook.workflows.scopes import promoted_widgets
from inglenook.workflows.sources import PRIMITIVE
from inglenook.workflows.ui import identity, read_definitions, read_graph
from inglenook.workflows.widgets import WidgetReader

Place = tuple[str, str]
"""(node id in the converted graph, input name)."""

_MOST_CONVERSIONS = 400
"""Of one change; most take two."""
_MOST_GROUP_VALUES = 100
_EXPANDED = "{%"
"""Letters of values that conversion may change: `{a|b}`, `%date%`."""


class NotWritable(WorkflowFormatError):
    """Values that have no place in the document."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = tuple(places)
        names = ", ".join(f"{node_id}.{name}" for node_id, name in self.places[:5])
        super().__init__(f"The editor's form of this workflow has no widget for {names}")


def write_values(
    document: Mapping[str, Any],
    values: Mapping[Place, Any],
    catalog: Catalog,
    *,
    max_nodes: int = MAX_NODES,
    old_widgets: OldWidgets | None = None,
) -> dict[str, Any]:
    """A copy of a UI-format workflow that converts to a graph with these values. The document keeps its form.

    As in the editor, a primitive node gives its value to all that it is connected to, and what is inside a subgraph is
    the same in each of its instances.
    Raises NotWritable for values that are fed by nothing that can be written, or that contradict each other.
    """
    conversion = _Conversion(catalog, max_nodes, old_widgets or {})
    before = conversion.graph(document)
    news = {place: value for place, value in values.items() if not _holds(before, place, value)}
    written = _all_at_once(document, news, before, conversion)
    if written is None:
        written = dict(document)
        for place, value in news.items():
            written = _one(written, place, value, conversion)
    graph = conversion.graph(written)
    lost = [place for place, value in values.items() if not (_holds(graph, place, value) or _may_expand(value))]
    if lost:
        raise NotWritable(lost)
    return written


@dataclass(slots=True)
class _Conversion:
    """Conversions that differ in nothing but the document."""

    catalog: Catalog
    max_nodes: int
    old_widgets: OldWidgets
    count: int = 0

    def graph(self, document: Mapping[str, Any]) -> dict[str, Any]:
        self.count += 1
        if self.count > _MOST_CONVERSIONS:
            raise WorkflowFormatError("Too many values are to be written into this workflow at a time")
        return to_graph(
            document,
            self.catalog,
            max_nodes=self.max_nodes,
            old_widgets=self.old_widgets,
            random=Random(0),
            now=datetime(2000, 1, 1),
        ).graph


def _holds(graph: Mapping[str, Any], place: Place, value: Any) -> bool:
    node = graph.get(place[0])
    inputs = node["inputs"] if node is not None else {}
    if place[1] not in inputs:
        return False
    found = inputs[place[1]]
    if isinstance(found, Mapping) and found.keys() == {"__value__"}:
        found = found["__value__"]
    return type(found) is type(value) and bool(found == value)


def _all_at_once(
    document: Mapping[str, Any], values: Mapping[Place, Any], before: Mapping[str, Any], conversion: _Conversion
) -> dict[str, Any] | None:
    """A copy with every value at the first of its places; None unless that changes just what it should."""
    changed = deepcopy(dict(document))
    for place, value in values.items():
        slot = next(_slots(changed, place, conversion), None)
        if slot is None:
            raise NotWritable([place])
        slot.values[slot.key] = value
    graph = conversion.graph(changed)
    is_right = all(_holds(graph, place, value) for place, value in values.items())
    return changed if is_right and not _others(before, graph, values) else None


def _one(document: dict[str, Any], place: Place, value: Any, conversion: _Conversion) -> dict[str, Any]:
    """A copy with one value at the place that changes least besides. Raises NotWritable."""
    probe = _PROBE if _may_expand(value) else value
    before = conversion.graph(document)
    best: tuple[int, dict[str, Any]] | None = None
    for number in range(_count(document, place, conversion)):
        changed = deepcopy(document)
        slot = next(islice(_slots(changed, place, conversion), number, None))
        slot.values[slot.key] = probe
        graph = conversion.graph(changed)
        if not _holds(graph, place, probe):
            continue
        others = _others(before, graph, [place])
        slot.values[slot.key] = value
        if not others:
            return changed
        if best is None or others < best[0]:
            best = others, changed
    if best is None:
        raise NotWritable([place])
    return best[1]


def _others(before: Mapping[str, Any], after: Mapping[str, Any], places: Collection[Place]) -> int:
    """How many inputs differ between two graphs besides those."""
    count = 0
    for node_id in before.keys() | after.keys():
        old, new = (graph.get(node_id, {"inputs": {}})["inputs"] for graph in (before, after))
        if old != new:
            names = (name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
            count += sum((node_id, name) not in places for name in names)
    return count


_PROBE = "inglenook probe"
"""Stands for a value that is expanded on its way, to see where it arrives."""


def _may_expand(value: Any) -> bool:
    return isinstance(value, str) and any(letter in value for letter in _EXPANDED)


@dataclass(frozen=True, slots=True)
class _Slot:
    """One value in the lists and objects of a document."""

    values: Any
    key: Any


def _count(document: Mapping[str, Any], place: Place, conversion: _Conversion) -> int:
    return sum(1 for _ in _slots(deepcopy(dict(document)), place, conversion))


def _slots(document: dict[str, Any], place: Place, conversion: _Conversion) -> Iterator[_Slot]:
    """Where the value of an input may stand, outermost first. Lists that are too short are filled with null."""
    path = [place[0]] if _node(document, place[0]) is not None else place[0].split(":")
    graphs = _graphs_along(document, path)
    if len(graphs) < len(path):
        yield from _group_slots(document, path)
        return
    node = _node(graphs[-1], path[-1])
    if node is None:
        return
    yield from _instance_slots(document, graphs, path, place[1])
    yield from _primitive_slots(graphs[-1], node, place[1])
    yield from _own_slots(node, place[1], conversion)


def _graphs_along(document: dict[str, Any], path: Sequence[str]) -> list[dict[str, Any]]:
    """The workflow, then the definition of each subgraph on the way to a node."""
    definitions = document.get("definitions")
    listed = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    by_id = {identity(one.get("id")): one for one in _objects(listed)}
    graphs = [document]
    for instance_id in path[:-1]:
        instance = _node(graphs[-1], instance_id)
        inner = by_id.get(identity(instance.get("type"))) if instance is not None else None
        if inner is None:
            break
        graphs.append(inner)
    return graphs


def _instance_slots(
    document: dict[str, Any], graphs: Sequence[dict[str, Any]], path: Sequence[str], name: str
) -> Iterator[_Slot]:
    """Values of the instances around a node: all of them, since names may differ from level to level."""
    promoted = promoted_widgets(read_definitions(document)) if len(path) > 1 else {}
    for graph, instance_id in zip(graphs, path[:-1], strict=False):
        instance = _node(graph, instance_id)
        values = instance.get("widgets_values") if instance is not None else None
        if instance is None or not isinstance(values, (list, dict)):
            continue
        if isinstance(values, dict):
            yield from (_Slot(values, key) for key in _first(list(values), name))
            continue
        properties = instance.get("properties")
        listed = properties.get("proxyWidgets") if isinstance(properties, dict) else None
        if isinstance(listed, list) and listed:
            names = [entry[1] if isinstance(entry, list) and len(entry) == 2 else None for entry in listed]
        else:
            kind = identity(instance.get("type")) or ""
            inner = read_definitions(document).get(kind)
            names = [one for one in inner.inputs if one in promoted.get(kind, ())] if inner is not None else []
        for index in _first(range(len(names)), name, names):
            _lengthen(values, index)
            yield _Slot(values, index)


def _group_slots(document: dict[str, Any], path: Sequence[str]) -> Iterator[_Slot]:
    """Values of a group node: those of all inner widgets one after another."""
    instance = _node(document, path[0])
    kind = instance.get("type") if instance is not None else None
    if instance is not None and isinstance(kind, str) and group_name(kind) is not None and len(path) == 2:
        values = instance.get("widgets_values")
        if isinstance(values, list):
            yield from (_Slot(values, index) for index in range(min(len(values), _MOST_GROUP_VALUES)))


def _first(keys: Any, name: str, names: Sequence[Any] | None = None) -> list[Any]:
    """The keys with those of that name in front."""
    return sorted(keys, key=lambda key: (key if names is None else names[key]) != name)


def _primitive_slots(graph: dict[str, Any], node: dict[str, Any], name: str) -> Iterator[_Slot]:
    read = read_graph(graph).nodes.get(identity(node.get("id")) or "")
    for socket in read.inputs if read is not None else ():
        origin = _node(graph, socket.link.origin) if socket.link is not None and socket.name == name else None
        if origin is not None and origin.get("type") == PRIMITIVE and isinstance(origin.get("widgets_values"), list):
            _lengthen(origin["widgets_values"], 0)
            yield _Slot(origin["widgets_values"], 0)


def _own_slots(node: dict[str, Any], name: str, conversion: _Conversion) -> Iterator[_Slot]:
    key = "widgets_values" if node.get("widgets_values") is not None else "widgets_values_named"
    values = node.get(key)
    if isinstance(values, dict):
        yield _Slot(values, name)
        return
    kind = node.get("type")
    schema = conversion.catalog.get(kind) if isinstance(kind, str) else None
    if values is None:
        values = node["widgets_values"] = []
    if isinstance(values, list) and schema is not None:
        index = _position(WidgetReader(conversion.catalog), schema, values, name)
        if index is not None:
            yield _Slot(values, index)


def _position(reader: WidgetReader, schema: NodeSchema, values: list[Any], name: str) -> int | None:
    """Where the value of an input stands; a list that ends before it is written anew, with what it stands for."""
    reading = reader.read(schema, values)
    index = reading.positions.get(name)
    if index is None or index < len(values):
        return index
    values[:] = reader.written(schema, reader.filled(schema, reading.values))
    return reader.read(schema, values).positions.get(name)


def _lengthen(values: list[Any], index: int) -> None:
    values += [None] * (index + 1 - len(values))


def _node(graph: Mapping[str, Any], node_id: str) -> dict[str, Any] | None:
    return next((one for one in _objects(graph.get("nodes")) if identity(one.get("id")) == node_id), None)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
