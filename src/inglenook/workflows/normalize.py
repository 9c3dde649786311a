"""Any workflow becomes a graph in API format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from types import MappingProxyType
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import MAX_NODES
from inglenook.workflows.convert import OldWidgets, class_types, is_ui_format, to_graph
from inglenook.workflows.documents import unwrap
from inglenook.workflows.errors import WorkflowFormatError
from inglenook.workflows.missing import MissingClass, find_missing
from inglenook.workflows.repairs import Repair


@dataclass(frozen=True, slots=True)
class Normalized:
    """A graph in API format, still as a document, and how it came about."""

    graph: dict[str, Any]
    repairs: tuple[Repair, ...] = ()
    missing: tuple[MissingClass, ...] = ()
    """Classes that the catalog lacks."""
    workflow: Mapping[str, Any] | None = None
    """The UI-format document that the graph was made of."""


def normalize(
    document: Any,
    catalog: Catalog | Mapping[str, Any],
    *,
    max_nodes: int = MAX_NODES,
    old_widgets: OldWidgets = MappingProxyType({}),
    random: Random | None = None,
    now: datetime | None = None,
) -> Normalized:
    """Return the API form of a workflow: API or UI format, wrapped or not, JSON text, or the bytes of a file.

    The options are those of `to_graph`. What is wrong with the nodes of an API-format graph is not looked at, and
    nothing in it is changed.
    Raises WorkflowFormatError when it is no workflow, TooManyNodes.
    """
    document = unwrap(document)
    if is_ui_format(document):
        converted = to_graph(document, catalog, max_nodes=max_nodes, old_widgets=old_widgets, random=random, now=now)
        return Normalized(converted.graph, converted.repairs, converted.missing, document)
    if not isinstance(document, Mapping):
        raise WorkflowFormatError(f"A workflow is a JSON object, not {type(document).__name__}")
    nodes = (
        (node["class_type"], str(node_id), _title(node))
        for node_id, node in document.items()
        if isinstance(node, Mapping) and isinstance(node.get("class_type"), str)
    )
    return Normalized(dict(document), missing=find_missing(nodes, (*catalog, *old_widgets)))


def _title(node: Mapping[str, Any]) -> str | None:
    meta = node.get("_meta")
    title = meta.get("title") if isinstance(meta, Mapping) else None
    return title if isinstance(title, str) else None


def needed_classes(document: Any) -> set[str]:
    """The classes that an unwrapped workflow may need, before it is converted."""
    if is_ui_format(document):
        return class_types(document)
    if not isinstance(document, Mapping):
        return set()
    found = (node.get("class_type") for node in document.values() if isinstance(node, Mapping))
    return {kind for kind in found if isinstance(kind, str)}
