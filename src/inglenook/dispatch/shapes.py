"""Node classes that servers have in different versions: what a job uses of one, and what a server has of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Node
from inglenook.engine.schema import NodeSchema

Use = tuple[str, frozenset[str], int]
"""Node class, its inputs that are given, the highest of its output slots that is read (-1 for none)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A version of a class."""

    required: frozenset[str]
    known: frozenset[str] | None
    """None where it takes any input."""
    outputs: int | None
    """None where it has any output."""

    def lacks(self, use: Use) -> Iterator[str]:
        """Inputs and outputs that a node uses and this version does not have, and inputs that it wants besides."""
        _, given, slot = use
        yield from sorted(self.required - given)
        yield from sorted(given - (given if self.known is None else self.known))
        if self.outputs is not None and slot >= self.outputs:
            yield f"output {slot}"


def shape_of(class_type: str, document: Any) -> Shape | None:
    """The version in a document; None where it cannot be read."""
    try:
        schema = NodeSchema.from_info(class_type, document)
    except (TypeError, ValueError, LookupError, AttributeError):
        return None
    required = (name for name, spec in schema.inputs.items() if spec.required and not spec.is_dynamic)
    known = None if schema.takes_any_input else frozenset(schema.inputs)
    return Shape(frozenset(required), known, None if schema.has_any_output else len(schema.outputs))


def uses_of(nodes: Iterable[Node], catalog: Catalog) -> Iterator[Use]:
    """What these nodes use of classes of which there are several versions. What no version has is not used."""
    nodes = list(nodes)
    schemas = {node.id: schema for node in nodes if (schema := catalog.get(node.class_type)) and schema.differs}
    if not schemas:
        return
    slots = _slots(nodes)
    for node in nodes:
        schema = schemas.get(node.id)
        if schema is not None:
            given = {name.partition(".")[0] for name in node.inputs}
            yield node.class_type, frozenset(given & schema.inputs.keys()), slots.get(node.id, -1)


def _slots(nodes: Iterable[Node]) -> Mapping[str, int]:
    """The highest output slot of each node that is read."""
    slots: dict[str, int] = {}
    for node in nodes:
        for link in node.links():
            slots[link.node_id] = max(slots.get(link.node_id, -1), link.slot)
    return slots
