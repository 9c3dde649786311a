"""The declaration of a node class, and the interface document that follows from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from inglenook.errors import InglenookError
from inglenook.packs.v3.dynamic import DynamicInput, MatchType
from inglenook.packs.v3.hidden import Hidden
from inglenook.packs.v3.types import Input, Output, inputs_document

_OUTPUT_NODE_HIDDEN = (Hidden.prompt, Hidden.extra_pnginfo)
_API_NODE_HIDDEN = (Hidden.auth_token_comfy_org, Hidden.api_key_comfy_org)


class SchemaError(InglenookError, ValueError):
    """A node class whose declaration cannot be used; the message names the class and what is wrong."""


@dataclass
class PriceBadgeDepends:
    """The inputs that a price is computed from."""

    widgets: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    input_groups: list[str] = field(default_factory=list)


@dataclass
class PriceBadge:
    """A price that the editor computes and shows at the node."""

    expr: str
    depends_on: PriceBadgeDepends = field(default_factory=PriceBadgeDepends)
    engine: str = "jsonata"

    def as_dict(self, inputs: Iterable[Input]) -> dict[str, Any]:
        """inputs: those of the node, for the types of the widgets."""
        types = {declared.id: declared.get_io_type() for declared in inputs}
        widgets = [{"name": name, "type": types.get(name, "")} for name in self.depends_on.widgets]
        depends = {"widgets": widgets, "inputs": self.depends_on.inputs, "input_groups": self.depends_on.input_groups}
        return {"engine": self.engine, "depends_on": depends, "expr": self.expr}


@dataclass
class Schema:
    """What a node class takes and gives."""

    node_id: str
    """The name of the class in graphs."""
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    description: str = ""
    search_aliases: list[str] = field(default_factory=list)
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_dev_only: bool = False
    is_api_node: bool = False
    price_badge: PriceBadge | None = None
    not_idempotent: bool = False
    enable_expand: bool = False
    """Whether the node may return a graph in its own place."""
    accept_all_inputs: bool = False
    essentials_category: str | None = None
    has_intermediate_output: bool = False
    loop_boundary: str | None = None

    def validate(self) -> None:
        """Raise SchemaError when the declaration cannot be used."""
        if not isinstance(self.node_id, str) or not self.node_id:
            raise SchemaError(f"the schema has no node_id: {self.node_id!r}")
        self._check_group(self.inputs, "inputs")
        for output in self.outputs:
            if not isinstance(output, Output):
                raise SchemaError(f"node {self.node_id}: {output!r} is no output; declare io.Type.Output(...)")
        self._check_unique([output.id for output in self.outputs if output.id is not None], "outputs")

    def _check_group(self, inputs: Sequence[Any], place: str) -> None:
        """Check inputs that stand side by side, and those inside them."""
        for declared in inputs:
            if not isinstance(declared, Input):
                raise SchemaError(f"node {self.node_id}: {declared!r} is no input; declare io.Type.Input(id, ...)")
            try:
                declared.validate()
            except ValueError as error:
                raise SchemaError(f"node {self.node_id}: input {declared.id!r}: {error}") from error
            if isinstance(declared, DynamicInput):
                for group in declared.inner():
                    self._check_group(group, f"inputs inside {declared.id!r}")
        self._check_unique([declared.id for declared in inputs], place)

    def _check_unique(self, ids: Iterable[str], place: str) -> None:
        twice = [repr(name) for name, count in Counter(ids).items() if count > 1]
        if twice:
            raise SchemaError(f"node {self.node_id}: ids must differ, but {place} share {', '.join(twice)}")

    def finalize(self) -> None:
        """Add the hidden inputs that output and API nodes always have; give every output an id."""
        wanted = [*self.hidden]
        wanted += _OUTPUT_NODE_HIDDEN if self.is_output_node else ()
        wanted += _API_NODE_HIDDEN if self.is_api_node else ()
        self.hidden = list(dict.fromkeys(wanted))
        for index, output in enumerate(self.outputs):
            if output.id is None:
                output.id = f"_{index}_{output.io_type}_"

    def input_types(self) -> dict[str, dict[str, Any]]:
        """What INPUT_TYPES of a V1 class gives: sections of inputs as (type, options)."""
        document = inputs_document(self.inputs)
        if self.hidden:
            document["hidden"] = {kind.name: (kind.value,) for kind in self.hidden}
        return document

    def output_names(self) -> list[str]:
        """Labels: the type where there is none."""
        return [output.display_name or _type_name(output) for output in self.outputs]

    def info(self, python_module: str) -> dict[str, Any]:
        """The node's entry in `/object_info`."""
        inputs = self.input_types()
        info: dict[str, Any] = {
            "input": inputs,
            "input_order": {section: list(specs) for section, specs in inputs.items()},
            "is_input_list": self.is_input_list,
            "output": [output.get_io_type() for output in self.outputs],
            "output_is_list": [output.is_output_list for output in self.outputs],
            "output_name": self.output_names(),
            "output_tooltips": [output.tooltip for output in self.outputs],
            "name": self.node_id,
            "display_name": self.display_name,
            "description": self.description,
            "python_module": python_module,
            "category": self.category,
            "output_node": self.is_output_node,
            "deprecated": self.is_deprecated,
            "experimental": self.is_experimental,
            "dev_only": self.is_dev_only,
            "api_node": self.is_api_node,
            "search_aliases": list(self.search_aliases),
            "essentials_category": self.essentials_category,
            "has_intermediate_output": self.has_intermediate_output,
        }
        templates = [_template_id(output) for output in self.outputs]
        if any(templates):
            info["output_matchtypes"] = templates
        if self.price_badge is not None:
            info["price_badge"] = self.price_badge.as_dict(part for top in self.inputs for part in top.get_all())
        return info


def _type_name(output: Output) -> str:
    kind = output.get_io_type()
    return kind if isinstance(kind, str) else output.io_type


def _template_id(output: Output) -> str | None:
    return output.template.template_id if isinstance(output, MatchType.Output) else None
