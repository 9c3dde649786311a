"""Node classes prepared for running: what a run asks of a schema for every node, looked up once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from inglenook.engine.implementation import NodeImplementation, NodeInstance
from inglenook.engine.schema import InputSpec


@dataclass(frozen=True, slots=True)
class NodeClass:
    """An implementation and its schema's facts in the form in which each run needs them."""

    name: str
    implementation: NodeImplementation
    declared: Mapping[str, InputSpec]
    lazy: frozenset[str]
    """Inputs whose source runs only when the node asks for it."""
    raw_links: frozenset[str]
    """Inputs that receive the link itself."""
    hidden: tuple[tuple[str, str], ...]
    output_is_list: tuple[bool, ...]
    is_output: bool
    is_input_list: bool
    uses_node_id: bool
    always_changed: bool

    @classmethod
    def of(cls, implementation: NodeImplementation) -> NodeClass:
        schema = implementation.schema
        return cls(
            name=schema.class_type,
            implementation=implementation,
            declared=schema.inputs,
            lazy=frozenset(name for name, spec in schema.inputs.items() if spec.lazy),
            raw_links=frozenset(name for name, spec in schema.inputs.items() if spec.raw_link),
            hidden=tuple(schema.hidden.items()),
            output_is_list=tuple(output.is_list for output in schema.outputs),
            is_output=schema.is_output,
            is_input_list=schema.is_input_list,
            uses_node_id=schema.uses_node_id,
            always_changed=schema.always_changed,
        )


class NodeClasses:
    """Node classes by name, and the instances of nodes, which are kept while their id and class stay in the graph."""

    def __init__(self, implementations: Mapping[str, NodeImplementation]) -> None:
        self._implementations = implementations
        self._classes: dict[str, NodeClass] = {}
        self._instances: dict[tuple[str, str], NodeInstance] = {}

    def get(self, name: str) -> NodeClass | None:
        """The class of that name, or None."""
        found = self._classes.get(name)
        if found is None:
            implementation = self._implementations.get(name)
            if implementation is not None:
                found = self._classes[name] = NodeClass.of(implementation)
        return found

    def instance(self, node_id: str, node_class: NodeClass) -> NodeInstance:
        """The instance of this node, made when it is first asked for."""
        key = (node_id, node_class.name)
        found = self._instances.get(key)
        if found is None:
            found = self._instances[key] = node_class.implementation.create()
        return found

    def keep(self, nodes: Collection[tuple[str, str]]) -> None:
        """Forget the instances of all other nodes (id, class)."""
        for key in self._instances.keys() - set(nodes):
            del self._instances[key]

    def clear(self) -> None:
        """Forget all instances."""
        self._instances.clear()
