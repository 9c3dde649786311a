"""Values written into a UI-format workflow where the editor would show them: in `widgets_values`.

A value of the converted graph may come from the node's own widget, from a primitive node that is connected to it, or
from the instance of a subgraph around it. Each place is tried, the outermost first, and the document is converted
again: the place is right when the graph then has the value, and best when nothing else in it has changed. So this knows
where values can stand, and `convert` alone what they mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice
from random import Random
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import MAX_NODES
from inglenook.workflows.convert import OldWidgets, to_graph
from inglenook.workflows.errors import WorkflowFormatError
from inglenook.workflows.widget_slots import Draft

Place = tuple[str, str]
"""(node id in the converted graph, input name)."""

_MOST_NODES = 200_000
"""Nodes that are converted for one change, all conversions together: some ten seconds. Most changes take three."""
_COST = 50
"""What a conversion of no nodes counts as."""
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
    left: int = _MOST_NODES
    """Nodes that may still be converted."""

    def graph(self, document: Mapping[str, Any]) -> dict[str, Any]:
        if self.left <= 0:
            raise WorkflowFormatError("Too many values are to be written into this workflow at a time")
        graph = to_graph(
            document,
            self.catalog,
            max_nodes=self.max_nodes,
            old_widgets=self.old_widgets,
            random=Random(0),
            now=datetime(2000, 1, 1),
        ).graph
        self.left -= len(graph) + _COST
        return graph


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
    draft = Draft(document, conversion.catalog)
    for place, value in values.items():
        slot = next(draft.slots(*place), None)
        if slot is None:
            raise NotWritable([place])
        slot.values[slot.key] = value
    graph = conversion.graph(draft.document)
    is_right = all(_holds(graph, place, value) for place, value in values.items())
    return draft.document if is_right and not _others(before, graph, values) else None


def _one(document: dict[str, Any], place: Place, value: Any, conversion: _Conversion) -> dict[str, Any]:
    """A copy with one value at the place that changes least besides. Raises NotWritable."""
    probe = _PROBE if _may_expand(value) else value
    before = conversion.graph(document)
    best: tuple[int, dict[str, Any]] | None = None
    for number in count():
        draft = Draft(document, conversion.catalog)
        slot = next(islice(draft.slots(*place), number, None), None)
        if slot is None:
            break
        slot.values[slot.key] = probe
        graph = conversion.graph(draft.document)
        if not _holds(graph, place, probe):
            continue
        others = _others(before, graph, [place])
        slot.values[slot.key] = value
        if not others:
            return draft.document
        if best is None or others < best[0]:
            best = others, draft.document
    if best is None:
        raise NotWritable([place])
    return best[1]


def _others(before: Mapping[str, Any], after: Mapping[str, Any], places: Collection[Place]) -> int:
    """How many inputs differ between two graphs besides those."""
    found = 0
    for node_id in before.keys() | after.keys():
        old, new = (graph.get(node_id, {"inputs": {}})["inputs"] for graph in (before, after))
        if old != new:
            names = (name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
            found += sum((node_id, name) not in places for name in names)
    return found


_PROBE = "inglenook probe"
"""Stands for a value that is expanded on its way, to see where it arrives."""


def _may_expand(value: Any) -> bool:
    return isinstance(value, str) and any(letter in value for letter in _EXPANDED)
