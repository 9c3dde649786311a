"""Node classes prepared for running: what a run asks of a schema for every node, looked up once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from inglenook.engine.dynamic import plain_inputs
from inglenook.engine.graph import Node
from inglenook.engine.implementation import NodeImplementation, NodeInstance
from inglenook.engine.schema import InputSpec


@dataclass(frozen=True, slots=True)
class Specs:
    """The inputs that a node has by its class: plain ones, with full names."""

    declared: Mapping[str, InputSpec]
    lazy: frozenset[str]
    """Inputs whose source runs only when the node asks for it."""
    raw_links: frozenset[str]
    """Inputs that receive the link itself."""

    @classmethod
    def of(cls, declared: Mapping[str, InputSpec]) -> Specs:
        lazy = frozenset(name for name, spec in declared.items() if spec.lazy)
        return cls(declared, lazy, frozenset(name for name, spec in declared.items() if spec.raw_link))


@dataclass(frozen=True, slots=True)
class NodeClass:
    """An implementation and its schema's facts in the form in which each run needs them."""

    name: str
    implementation: NodeImplementation
    specs: Specs
    """Of the class; for one with dynamic inputs ask `specs_of`."""
    has_dynamic_inputs: bool
    takes_any_input: bool
    takes_any_link: bool
    hidden: tuple[tuple[str, str], ...]
    hidden_names: frozenset[str]
    output_is_list: tuple[bool, ...]
    is_output: bool
    is_input_list: bool
    uses_node_id: bool
    always_changed: bool
    shows_cached: bool

    @classmethod
    def of(cls, implementation: NodeImplementation) -> NodeClass:
        schema = implementation.schema
        return cls(
            name=schema.class_type,
            implementation=implementation,
            specs=Specs.of(schema.inputs),
            has_dynamic_inputs=schema.has_dynamic_inputs,
            takes_any_input=schema.takes_any_input,
            takes_any_link=schema.takes_any_link,
            hidden=tuple(schema.hidden.items()),
            hidden_names=frozenset(schema.hidden),
            output_is_list=tuple(output.is_list for output in schema.outputs),
            is_output=schema.is_output,
            is_input_list=schema.is_input_list,
            uses_node_id=schema.uses_node_id,
            always_changed=schema.always_changed,
            shows_cached=schema.shows_cached,
        )

    def specs_of(self, node: Node) -> Specs:
        """The plain inputs of `node`."""
        if not self.has_dynamic_inputs:
            return self.specs
        return Specs.of(plain_inputs(self.specs.declared, node.inputs).specs)


NodeKey = tuple[str, str]
"""Node id and class."""


class NodeClasses:
    """Node classes by name, and the instances of nodes, which are kept while their id and class stay in the graph.

    Instances of nodes that came from an expansion are kept while the submitted node stays that expanded into them, and
    the run before asked for them: loops whose length changes leave nothing behind.
    """

    def __init__(self, implementations: Mapping[str, NodeImplementation]) -> None:
        """implementations: may be replaced by newer ones of the same names; the next run uses those."""
        self._implementations = implementations
        self._classes: dict[str, NodeClass] = {}
        self._instances: dict[NodeKey, NodeInstance] = {}
        self._owners: dict[NodeKey, NodeKey] = {}
        """Expanded node -> the submitted node that it comes from; of nodes that the present run asked for."""

    def get(self, name: str) -> NodeClass | None:
        """The class of that name, or None."""
        found = self._classes.get(name)
        if found is None:
            implementation = self._implementations.get(name)
            if implementation is not None:
                found = self._classes[name] = NodeClass.of(implementation)
        return found

    def instance(self, node_id: str, node_class: NodeClass, owner: NodeKey | None = None) -> NodeInstance:
        """The instance of this node, made when it is first asked for. owner: of an expanded node, see the class."""
        key = (node_id, node_class.name)
        if owner is not None:
            self._owners[key] = owner
        found = self._instances.get(key)
        if found is None:
            found = self._instances[key] = node_class.implementation.create()
        return found

    def keep(self, nodes: Collection[NodeKey]) -> None:
        """A run of a graph with these nodes begins: forget the instances of all others, and classes as they were."""
        self._classes = {
            name: known for name, known in self._classes.items() if known.implementation is self._implementations[name]
        }
        submitted = set(nodes)
        expanded = {key for key, owner in self._owners.items() if owner in submitted}
        for key in self._instances.keys() - submitted - expanded:
            del self._instances[key]
        self._owners.clear()

    def clear(self) -> None:
        """Forget all instances."""
        self._instances.clear()
        self._owners.clear()
