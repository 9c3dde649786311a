"""The values that a node's inputs have in a run: lists, one element per call when a node maps over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inglenook.engine.cache import NodeResult
from inglenook.engine.dynamic import nested
from inglenook.engine.dynamic_graph import DynamicGraph
from inglenook.engine.graph import Link, Node
from inglenook.engine.node_class import NodeClass

Values = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class NodeInputs:
    """The inputs of one node, as far as they are known."""

    values: Values
    missing: frozenset[str] = frozenset()
    """Links whose source has not run; their value is None."""
    hidden: frozenset[str] = frozenset()
    """Names of values that the engine gave: the workflow, ids, tokens."""


def slot_values(link: Link, result: NodeResult) -> list[Any]:
    """The values of the output that `link` names. Raises IndexError when the node did not give it."""
    if not 0 <= link.slot < len(result.outputs):
        raise IndexError(f"node {link.node_id} gave {len(result.outputs)} outputs, there is no slot {link.slot}")
    return result.outputs[link.slot]


class InputReader:
    """Reads the inputs of the nodes of one run."""

    def __init__(
        self,
        graph: DynamicGraph,
        extra_data: Mapping[str, Any],
        result_of: Callable[[str], NodeResult | None],
    ) -> None:
        self._graph = graph
        self._extra_data = extra_data
        self._result_of = result_of

    def read(self, node: Node, node_class: NodeClass) -> NodeInputs:
        """Declared inputs and hidden ones; undeclared inputs only for a class that takes any.

        A hidden input of a kind that the engine does not fill may be given in the graph: expansions do that.
        """
        specs = node_class.specs_of(node)
        declared, raw_links, hidden = specs.declared, specs.raw_links, node_class.hidden_names
        takes_any, takes_links = node_class.takes_any_input, node_class.takes_any_link
        values: Values = {}
        missing: list[str] = []
        for name, value in node.inputs.items():
            is_link = type(value) is Link
            if not (name in declared or takes_any or (is_link and takes_links) or name in hidden):
                continue
            if not is_link:
                values[name] = [value]
            elif name in raw_links:
                values[name] = [[value.node_id, value.slot]]
            else:
                result = self._result_of(value.node_id)
                if result is None:
                    missing.append(name)
                    values[name] = [None]
                else:
                    values[name] = slot_values(value, result)
        if hidden:
            self._add_hidden(values, node, node_class)
            return NodeInputs(values, frozenset(missing), hidden)
        return NodeInputs(values, frozenset(missing)) if missing else NodeInputs(values)

    def read_constants(self, node: Node, node_class: NodeClass) -> NodeInputs:
        """As change detection sees the inputs: every link is None."""
        declared = node_class.specs_of(node).declared
        values: Values = {
            name: [None] if type(value) is Link else [value]
            for name, value in node.inputs.items()
            if name in declared or node_class.takes_any_input
        }
        self._add_hidden(values, node, node_class)
        return NodeInputs(values)

    def _add_hidden(self, values: Values, node: Node, node_class: NodeClass) -> None:
        for name, kind in node_class.hidden:
            match kind:
                case "PROMPT":
                    value: Any = self._graph.get_original_prompt()
                case "EXTRA_PNGINFO":
                    value = self._extra_data.get("extra_pnginfo")
                case "UNIQUE_ID":
                    value = node.id
                case "DYNPROMPT":
                    value = self._graph
                case "AUTH_TOKEN_COMFY_ORG" | "API_KEY_COMFY_ORG" | "COMFY_USAGE_SOURCE":
                    value = self._extra_data.get(kind.lower())
                case _:
                    continue
            values[name] = [value]


def node_arguments(node: Node, node_class: NodeClass, plain: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the node function, dynamic inputs put together."""
    if not node_class.has_dynamic_inputs:
        return plain
    return nested(node_class.specs.declared, node.inputs, plain)


def lazy_arguments(node: Node, node_class: NodeClass, plain: dict[str, Any]) -> dict[str, Any]:
    """The same for `check_lazy_status`: parts of dynamic inputs are tuples (value, full name)."""
    if not node_class.has_dynamic_inputs:
        return plain
    return nested(node_class.specs.declared, node.inputs, plain, lambda name, value: (value, name))
